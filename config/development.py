"""The development system: embedded servers, then every process of the Procfile, under one command."""

import fcntl
import json
import os
import secrets
import shlex
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from base64 import urlsafe_b64encode
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from honcho import manager as honcho
from honcho.environ import parse_procfile
from honcho.printer import Printer

from config.embedded import HOST, Postgres, StartFailed, Valkey, free_port
from config.env import ROOT, home

PORTS = {
    "PORT": 8000,
    "FLOWER_PORT": 5555,
    "SANDBOX_PORT": 8090,
    "SANDBOX_SMTP_PORT": 8025,
    "POSTGRES_PORT": 54320,
    "VALKEY_PORT": 63790,
}
_READY_WITHIN_S = 90
_LINES_SHOWN = 15


def say(text: str) -> None:
    print(text, flush=True)


class _AlreadyRunning(Exception):
    pass


class _Log(Printer):  # type: ignore[misc]
    """Keeps every line of every process in a file, and shows only what somebody should read."""

    def __init__(self, folder: Path, output: IO[str]) -> None:
        super().__init__(output)
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._files: dict[str, IO[str]] = {}
        self.last: dict[str, deque[str]] = {}
        self.ready: set[str] = set()

    def write(self, message: Any) -> None:
        text = message.data.decode("utf-8", "replace") if isinstance(message.data, bytes) else message.data
        name = message.name or "system"
        if name not in self._files:
            self._files[name] = (self._folder / f"{name}.log").open("a", buffering=1)
        self._files[name].write(text)
        self.last.setdefault(name, deque(maxlen=_LINES_SHOWN)).append(text.rstrip())
        if " ready." in text:  # a Celery worker consumes
            self.ready.add(name)
        if _worth_showing(text):
            super().write(message._replace(data=text))


def _worth_showing(text: str) -> bool:
    try:
        record = json.loads(text)
    except ValueError:
        return False
    return isinstance(record, dict) and record.get("level") in {"error", "critical"}


class DevelopmentSystem:
    """Everything `make run` starts. `start` returns when all has been stopped."""

    def __init__(self, *, with_processes: list[str] | None = None) -> None:
        self._home = home()
        self._env_file = self._home / "dev.env"
        self._wanted = with_processes
        self._servers: list[Postgres | Valkey] = []
        self._started_at = time.monotonic()
        self._ready = threading.Event()

    def run(self) -> int:
        """Start, print the addresses, wait for Ctrl-C or a failure, stop. Return the exit code."""
        self._home.mkdir(parents=True, exist_ok=True)
        try:
            with self._only_one():
                signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
                values = self._values()
                try:
                    self._start_servers(values)
                    self._prepare(values)
                    return self._run_processes(values)
                finally:
                    for server in reversed(self._servers):
                        server.stop()
        except (StartFailed, _AlreadyRunning) as failed:
            say(f"\nTocsin did not start.\n{failed}")
            return 1
        except KeyboardInterrupt:
            return 130

    def _only_one(self) -> IO[str]:
        """Lock this checkout's folder; a second start says where the first one is."""
        lock = (self._home / "dev.lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            port = self._stored().get("PORT", "?")
            raise _AlreadyRunning(
                f"It runs already, at http://{HOST}:{port}/ (folder {self._home})."
            ) from error
        return lock

    def _stored(self) -> dict[str, str]:
        if not self._env_file.exists():
            return {}
        lines = self._env_file.read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def _values(self) -> dict[str, str]:
        """Return the environment of all processes: kept secrets, ports that are free, URLs."""
        stored = self._stored()
        values = {name: os.environ.get(name) or stored.get(name) or make() for name, make in _SECRETS.items()}
        values["DEMO_API_KEY"] = stored.get("DEMO_API_KEY", "")
        for name, usual in PORTS.items():
            given = os.environ.get(name)
            values[name] = given or str(free_port(usual))
        values |= {
            "DJANGO_SETTINGS_MODULE": os.environ.get("DJANGO_SETTINGS_MODULE", "config.settings.development"),
            "TOCSIN_HOME": str(self._home),
            "SANDBOX_URL": f"http://{HOST}:{values['SANDBOX_PORT']}",
            "TELEGRAM_API_URL": f"http://{HOST}:{values['SANDBOX_PORT']}/bot",
            "TELEGRAM_BOT_TOKEN": "1000:simulated",
            "EMAIL_URL": f"smtp://{HOST}:{values['SANDBOX_SMTP_PORT']}",
            "FLOWER_URL": f"http://{HOST}:{values['FLOWER_PORT']}/",
            "FLOWER_BASIC_AUTH": f"demo:{values['DEMO_PASSWORD']}",
            "CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT": "2",
            "PYTHONUNBUFFERED": "1",
        }
        for name in ("TELEGRAM_API_URL", "TELEGRAM_BOT_TOKEN", "EMAIL_URL"):
            values[name] = os.environ.get(name, values[name])
        return values

    def _start_servers(self, values: dict[str, str]) -> None:
        for name, server, url in self._servers_needed(values):
            if name in os.environ:
                values[name] = os.environ[name]
                continue
            say(f"starting {type(server).__name__} on port {server.port} …")
            self._servers.append(server)
            server.start()
            values[name] = url
        self._store(values)

    def _servers_needed(self, values: dict[str, str]) -> list[tuple[str, Any, str]]:
        postgres = Postgres(self._home, values["POSTGRES_PASSWORD"], int(values["POSTGRES_PORT"]))
        valkey = Valkey(self._home, values["VALKEY_PASSWORD"], int(values["VALKEY_PORT"]))
        return [("DATABASE_URL", postgres, postgres.url()), ("REDIS_URL", valkey, valkey.url)]

    def _store(self, values: dict[str, str]) -> None:
        """Write what `manage.py` commands in another terminal need. Only the owner may read it."""
        self._env_file.touch(mode=0o600)
        self._env_file.write_text("".join(f"{name}={value}\n" for name, value in sorted(values.items())))

    def _prepare(self, values: dict[str, str]) -> None:
        say("applying migrations …")
        self._manage(values, "migrate", "--no-input", "--verbosity", "0")
        seed = ["seed_demo", "--password", values["DEMO_PASSWORD"], "--key", values["DEMO_API_KEY"]]
        values["DEMO_API_KEY"] = self._manage(values, *seed).split()[-1]
        self._store(values)

    def _manage(self, values: dict[str, str], *command: str) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=ROOT,
            env=os.environ | values,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise StartFailed(f"manage.py {command[0]} failed:\n{done.stderr.strip()[-2000:]}")
        return done.stdout

    def _run_processes(self, values: dict[str, str]) -> int:
        log = _Log(self._home / "logs", sys.stdout)
        honcho.KILL_WAIT = 10
        manager = honcho.Manager(log)
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        for name, command in parse_procfile((ROOT / "Procfile").read_text()).processes.items():
            if self._wanted is None or name in self._wanted:
                # `exec`: the signal goes to the process itself and not to a shell around it.
                manager.add_process(
                    name, _exec(command), env=os.environ | values | {"PATH": path}, cwd=str(ROOT)
                )
        workers = {name for name in manager._processes if name in {"worker", "control"}}
        say("starting " + ", ".join(manager._processes) + " …")
        threading.Thread(target=self._announce, args=(values, log, workers), daemon=True).start()
        manager.loop()
        return self._farewell(manager, log)

    def _announce(self, values: dict[str, str], log: _Log, workers: set[str]) -> None:
        """Print the addresses once the page answers and the workers consume."""
        deadline = time.monotonic() + _READY_WITHIN_S
        urls = [f"http://{HOST}:{values['PORT']}/readyz"]
        if self._wanted is None:
            urls += [f"{values['SANDBOX_URL']}/healthz"]
        while time.monotonic() < deadline:
            if workers <= log.ready and all(map(_answers, urls)):
                self._ready.set()
                self._env_file.with_name("ready").touch()
                say(_banner(values, time.monotonic() - self._started_at))
                return
            time.sleep(0.1)
        say(f"The page does not answer after {_READY_WITHIN_S} s; see {self._home / 'logs'}.")

    def _farewell(self, manager: Any, log: _Log) -> int:
        """Say which process failed and why; nothing to say after Ctrl-C."""
        self._env_file.with_name("ready").unlink(missing_ok=True)
        if manager.returncode in {130, 143}:
            say("stopped.")
            return 0
        codes = {name: process.get("returncode") for name, process in manager._processes.items()}
        failed = next((name for name, code in codes.items() if code not in {0, None, -15, 143}), None)
        name = failed or next(iter(codes))
        last = "\n".join(log.last.get(name, ()))
        say(
            f"\n{name} ended with exit code {codes[name]}, so everything was stopped."
            f" Its last lines:\n{last}\nThe whole log: {self._home / 'logs' / f'{name}.log'}"
        )
        return manager.returncode or 1


def _exec(command: str) -> str:
    words = shlex.split(command)
    number = next(index for index, word in enumerate(words) if "=" not in word or word.startswith("-"))
    return " ".join([*words[:number], "exec", *words[number:]])


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310  our own loopback address
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _fernet_key() -> str:
    return urlsafe_b64encode(secrets.token_bytes(32)).decode()


_SECRETS: dict[str, Callable[[], str]] = {
    "SECRET_KEY": lambda: secrets.token_urlsafe(48),
    "FIELD_ENCRYPTION_KEYS": _fernet_key,
    "POSTGRES_PASSWORD": lambda: secrets.token_hex(16),
    "VALKEY_PASSWORD": lambda: secrets.token_hex(16),
    "DEMO_PASSWORD": lambda: secrets.token_hex(5),
}


def curl_line(port: str, key: str) -> str:
    """Return a line that publishes a CRITICAL event, for pasting into any POSIX shell."""
    body = (
        '{"event_id":"curl-\'$(date +%s)-$$-$RANDOM\'","user_id":"demo","timestamp":\'$(date +%s)000\','
        '"event_type":"ORDER_FILLED","payload":{"symbol":"BTC/USDT","side":"buy","fill_quantity":"0.5",'
        '"fill_price":"64250.00"},"delivery":{"priority":"CRITICAL"}}'
    )
    return (
        f"curl -sS 'http://{HOST}:{port}/api/v1/events?wait=15' -H 'Authorization: Bearer {key}'"
        f" -H 'Content-Type: application/json' -d '{body}'"
    )


def _banner(values: dict[str, str], seconds: float) -> str:
    login = f"demo / {values['DEMO_PASSWORD']}"
    return f"""
  Tocsin is running ({seconds:.1f} s).  Ctrl-C stops it.

    page     http://{HOST}:{values["PORT"]}/         login {login}
    admin    http://{HOST}:{values["PORT"]}/admin/   same login
    flower   http://{HOST}:{values["FLOWER_PORT"]}/         same login
    API      http://{HOST}:{values["PORT"]}/api/v1/docs
    logs     {home() / "logs"}

  Open the page, then paste this; the toast comes in under a second:

{curl_line(values["PORT"], values["DEMO_API_KEY"])}
"""


if __name__ == "__main__":
    # Not a manage.py command: settings need the URLs that this start is about to find out.
    sys.exit(DevelopmentSystem(with_processes=sys.argv[1:] or None).run())
