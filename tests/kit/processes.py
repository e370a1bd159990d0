"""Processes of the system: each has a log and a process group of its own; a supervisor restarts what dies."""

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from config.env import ROOT
from sandbox.system.start import HOST, await_start

_LOOK_EVERY_S = 0.05


@dataclass(slots=True)
class Child:
    """One process: how it is started, and how often it ended on its own."""

    name: str
    command: list[str]
    environment: dict[str, str]
    log: Path
    ready_when: str = ""  # a text in its log; empty: ready as soon as it runs
    process: "subprocess.Popen[bytes] | None" = None
    held: bool = False  # the supervisor does not restart it
    ends: list[int] = field(default_factory=list)  # exit codes of unexpected ends
    _log_from: int = 0

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self, **extra: str) -> None:
        self.environment |= extra
        self._log_from = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command,
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # one signal reaches all its children
            )

    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def ready(self) -> bool:
        return self.running() and self.ready_when in self.log_text()

    def log_text(self) -> str:
        """Return what it has logged since its last start."""
        with self.log.open("rb") as file:
            file.seek(self._log_from)
            return file.read().decode(errors="replace")

    def send(self, number: signal.Signals, *, whole_tree: bool = True) -> None:
        try:
            if whole_tree:
                os.killpg(self.pid, number)
            else:
                os.kill(self.pid, number)
        except ProcessLookupError:
            pass

    def stop(self, number: signal.Signals = signal.SIGTERM, *, within_s: float = 30) -> int | None:
        """Signal the main process and wait; kill the rest. Return its exit code, or None if it was killed."""
        self.held = True
        if self.process is None:
            return 0
        self.send(number, whole_tree=False)
        try:
            return self.process.wait(within_s)
        except subprocess.TimeoutExpired:
            return None
        finally:
            self.send(signal.SIGCONT)
            self.send(signal.SIGKILL)
            self.process.wait()


@contextmanager
def running(
    command: list[str],
    log: Path,
    answers: Callable[[], bool] = lambda: True,
    *,
    environment: dict[str, str] | None = None,
) -> Iterator[Child]:
    """Run a process while the block runs, from its first answer. Raises: `StartFailed` with the log's end."""
    child = Child(log.stem, command, dict(environment or os.environ), log)
    child.start()
    try:
        assert child.process is not None
        await_start(child.name, log, child.process, answers)
        yield child
    finally:
        child.stop()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def answers(url: str) -> bool:
    """Return whether a GET is answered with 200."""
    try:
        return httpx.get(url, timeout=5, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def group(leader: int) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if os.getpgid(process.pid) == leader and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (ProcessLookupError, PermissionError, psutil.Error):
            continue
    return found


class Supervisor:
    """Restarts children that end, as systemd or Kubernetes would."""

    def __init__(self) -> None:
        self.children: dict[str, Child] = {}
        self.groups: list[tuple[str, int, float]] = []  # killed or ended: name, group, when
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)
        self._lock = threading.Lock()

    def add(self, child: Child) -> Child:
        self.children[child.name] = child
        with self._lock:
            child.start()
        if not self._thread.is_alive():
            self._thread.start()
        return child

    def restart(self, name: str, **extra: str) -> None:
        """Stop a child and start it with a changed environment; a variable given as "" is removed."""
        child = self.children[name]
        child.stop()
        with self._lock:
            child.environment |= extra
            for variable in [key for key, value in extra.items() if not value]:
                del child.environment[variable]
            child.held = False
            child.start()

    def kill(self, name: str, *, whole_tree: bool = True) -> None:
        child = self.children[name]
        if child.running():
            self.groups.append((name, child.pid, time.monotonic()))
            child.send(signal.SIGKILL, whole_tree=whole_tree)

    def orphans(self, *, older_than_s: float) -> list[str]:
        """Return the processes whose group leader ended longer ago than that."""
        now = time.monotonic()
        return [
            f"{name} {process.pid}"
            for name, leader, at in self.groups
            if now - at >= older_than_s
            and all(child.process is None or child.pid != leader for child in self.children.values())
            for process in group(leader)
        ]

    def stop(self) -> dict[str, int | None]:
        """Stop all children. Return the exit codes of those that ended without being killed."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        codes = {}
        for child in reversed(self.children.values()):
            child.held = True
            if child.running():
                child.send(signal.SIGCONT)
                child.send(signal.SIGTERM, whole_tree=False)
        for name, child in reversed(self.children.items()):
            if child.process is not None:
                codes[name] = child.stop(signal.SIGCONT)
        for _, leader, _ in self.groups:
            for process in group(leader):
                process.kill()
        return codes

    def _watch(self) -> None:
        while not self._stopping.wait(_LOOK_EVERY_S):
            for child in list(self.children.values()):
                with self._lock:
                    if child.held or child.process is None or child.process.poll() is None:
                        continue
                    child.ends.append(child.process.returncode)
                    self.groups.append((child.name, child.pid, time.monotonic()))
                    child.start()
