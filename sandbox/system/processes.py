"""Runs the processes of the Procfile: their logs, their end, and which one failed first."""

import json
import os
import shlex
import signal
import sys
from collections import deque
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from honcho import manager as honcho
from honcho.environ import parse_procfile
from honcho.printer import Printer

from config.env import ROOT

_KILLED_AFTER_S = 10
_LINES_SHOWN = 15
INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # Ctrl-C, kill, a closed terminal
_INTERRUPTED = tuple(128 + number for number in INTERRUPTIONS)


class ProcessFailed(Exception):
    """A process ended by itself. The text has its name and the reason."""

    def __init__(self, text: str, exit_code: int) -> None:
        super().__init__(text, exit_code)
        self.text = text
        self.exit_code = exit_code


class Processes(honcho.Manager):  # type: ignore[misc]
    """Runs processes of the Procfile until one of them ends or a signal arrives.

    The first Ctrl-C (or SIGTERM, or SIGHUP) stops them gracefully; the second one kills them.
    """

    def __init__(self, logs: Path, environment: Mapping[str, str], wanted: Collection[str] | None) -> None:
        self.log = _Log(logs, sys.stdout)
        super().__init__(self.log)
        honcho.KILL_WAIT = _KILLED_AFTER_S
        self._first_ended: str | None = None
        self.returncode: int | None = None
        known = parse_procfile((ROOT / "Procfile").read_text()).processes
        # `python` in a command is this interpreter, also without an activated environment.
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        for name in known if wanted is None else [name for name in known if name in wanted]:
            self.add_process(
                name, _exec(known[name]), env=os.environ | environment | {"PATH": path}, cwd=str(ROOT)
            )

    @property
    def names(self) -> list[str]:
        return list(self._processes)

    def run(self) -> None:
        """Return after an interruption, when all have ended. Raises: `ProcessFailed`."""
        self.loop()
        if self.returncode in _INTERRUPTED:
            return
        name = self._first_ended or self.names[0]
        code = self._processes[name]["returncode"]
        lines = "\n".join(self.log.last.get(name, ()))
        raise ProcessFailed(
            f"{name} ended with exit code {code}, so everything was stopped."
            f" Its last lines:\n{lines}\nThe whole log: {self.log.path(name)}",
            max(code, 1),
        )

    def _start(self) -> None:
        # Honcho's helper processes ignore Ctrl-C and SIGTERM, but not a closed terminal (SIGHUP).
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        super()._start()
        for number in INTERRUPTIONS:
            signal.signal(number, self._interrupt)

    def _interrupt(self, number: int, _: object) -> None:
        if self.returncode in _INTERRUPTED:
            self.kill()
        else:
            self.returncode = 128 + number
            self.terminate()

    def terminate(self) -> None:
        """Terminate all processes. Called by a signal, or after the first one has ended."""
        if self._first_ended is None:
            ended = (name for name, process in self._processes.items() if "returncode" in process)
            self._first_ended = next(ended, None)
        super().terminate()

    def _killall(self, force: bool = False) -> None:
        """Signal only the processes, not their groups: a Celery worker waits for its children's sends."""
        if force:
            super()._killall(force=True)
            return
        for process in self._processes.values():
            if "returncode" not in process and process.get("pid"):
                with suppress(ProcessLookupError):
                    os.kill(process["pid"], signal.SIGTERM)


def _exec(command: str) -> str:
    """Prefix `exec`, so that signals go to the process and not to its shell."""
    words = shlex.split(command)
    number = next(index for index, word in enumerate(words) if "=" not in word or word.startswith("-"))
    return " ".join([*words[:number], "exec", *words[number:]])


class _Log(Printer):  # type: ignore[misc]
    """Writes every line of every process to a file, and shows only errors."""

    def __init__(self, folder: Path, output: IO[str]) -> None:
        super().__init__(output)
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)  # logs name people's events
        self._files: dict[str, IO[str]] = {}
        self.last: dict[str, deque[str]] = {}
        self.consuming: set[str] = set()  # Celery workers that are ready

    def path(self, name: str) -> Path:
        return self._folder / f"{name}.log"

    def write(self, message: Any) -> None:
        text = message.data.decode("utf-8", "replace") if isinstance(message.data, bytes) else message.data
        name = message.name or "system"
        if name not in self._files:
            self._files[name] = self.path(name).open("a", buffering=1)
        self._files[name].write(text)
        self.last.setdefault(name, deque(maxlen=_LINES_SHOWN)).append(text.rstrip())
        if " ready." in text:
            self.consuming.add(name)
        if _worth_showing(text):
            super().write(message._replace(data=text))


def _worth_showing(text: str) -> bool:
    try:
        record = json.loads(text)
    except ValueError:
        return False
    return isinstance(record, dict) and record.get("level") in {"error", "critical"}
