"""The development system: embedded servers, then every process of the Procfile, under one command."""

import fcntl
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

from config.env import ROOT, home
from sandbox.system.interruption import Interrupted, interrupt, on_signals
from sandbox.system.postgres import Postgres
from sandbox.system.processes import Processes, ProcessFailed
from sandbox.system.start import HOST, Ports, PortTaken, StartFailed
from sandbox.system.valkey import Valkey

PORTS = {
    "PORT": 8000,
    "FLOWER_PORT": 5555,
    "SANDBOX_PORT": 8090,
    "SANDBOX_SMTP_PORT": 8025,
    "POSTGRES_PORT": 54320,
    "VALKEY_PORT": 63790,
}
_READY_WITHIN_S = 90
_TRIES = 3
_CELERY_WORKERS = frozenset({"worker", "control"})


def say(text: str) -> None:
    print(text, flush=True)


class _AlreadyRunning(Exception):
    pass


class DevelopmentSystem:
    """Everything `make run` starts. `run` returns when all has been stopped."""

    def __init__(self, *, with_processes: list[str] | None = None) -> None:
        self._home = home()
        self._env_file = self._home / "dev.env"
        self._ready_file = self._home / "ready"
        self._wanted = with_processes
        self._needed: list[Postgres | Valkey] = []
        self._servers: list[Postgres | Valkey] = []  # started, so to be stopped
        self._ports = Ports()
        self._chosen: dict[str, str] = {}
        self._started_at = time.monotonic()

    def run(self) -> int:
        """Start, print the addresses, wait for Ctrl-C or a failure, stop. Return the exit code."""
        on_signals(interrupt)
        self._home.mkdir(parents=True, exist_ok=True)
        try:
            with self._only_one():
                return self._run()
        except (StartFailed, _AlreadyRunning) as failed:
            say(f"\nTocsin did not start.\n{failed}")
            return 1
        except ProcessFailed as failed:
            say(f"\n{failed.text}")
            return failed.exit_code
        except Interrupted:
            say("stopped.")
            return 130

    def _run(self) -> int:
        self._ready_file.unlink(missing_ok=True)  # left by a killed start
        try:
            self._run_processes(self._prepared())
        finally:
            on_signals(signal.SIG_IGN)  # stopping has time limits; every server must be stopped
            self._ready_file.unlink(missing_ok=True)
            self._stop_servers()
            self._ports.close()
        say("stopped.")
        return 0

    def _prepared(self) -> dict[str, str]:
        """Start the servers and prepare the database; on other ports if somebody else was quicker."""
        for tries_left in reversed(range(_TRIES)):
            try:
                return self._prepare(self._values())
            except PortTaken:
                if not tries_left:
                    raise
                say("another program took a port; trying others …")
                self._stop_servers()
                for name in ("POSTGRES_PORT", "VALKEY_PORT"):
                    del self._chosen[name]
        raise AssertionError

    def _prepare(self, values: dict[str, str]) -> dict[str, str]:
        self._store(values)  # before initdb: a data folder is worth nothing without its password
        with _preparation(values) as preparation:
            self._start_servers(values)
            say("applying migrations …")
            values["DEMO_API_KEY"] = _finish(preparation)
        self._store(values)
        return values

    def _stop_servers(self) -> None:
        while self._servers:
            self._servers.pop().stop()

    def _only_one(self) -> IO[str]:
        """Lock this checkout's folder; the error of a second start has the address of the first."""
        lock = (self._home / "dev.lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            port = self._stored().get("PORT", "?")
            raise _AlreadyRunning(
                f"It is already running at http://{HOST}:{port}/ (folder {self._home})."
            ) from error
        return lock

    def _stored(self) -> dict[str, str]:
        if not self._env_file.exists():
            return {}
        lines = self._env_file.read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def _values(self) -> dict[str, str]:
        """Return the environment of all processes: stored secrets, free ports, URLs."""
        stored = self._stored()
        values = {name: os.environ.get(name) or stored.get(name) or make() for name, make in _SECRETS.items()}
        values["DEMO_API_KEY"] = stored.get("DEMO_API_KEY", "")
        for name, usual in PORTS.items():
            if name not in self._chosen:
                self._chosen[name] = os.environ.get(name) or str(self._ports.take(usual))
        values |= self._chosen
        postgres = Postgres(self._home, values["POSTGRES_PASSWORD"], int(values["POSTGRES_PORT"]))
        valkey = Valkey(self._home, values["VALKEY_PASSWORD"], int(values["VALKEY_PORT"]))
        values |= {
            "DJANGO_SETTINGS_MODULE": "config.settings.development",
            "TOCSIN_HOME": str(self._home),
            "DATABASE_URL": postgres.url(),
            "REDIS_URL": valkey.url,
            "SANDBOX_URL": f"http://{HOST}:{values['SANDBOX_PORT']}",
            "TELEGRAM_API_URL": f"http://{HOST}:{values['SANDBOX_PORT']}/bot",
            "TELEGRAM_BOT_TOKEN": "1000:simulated",
            "TOCSIN_PUBLIC_URL": f"http://{HOST}:{values['PORT']}",
            "EMAIL_URL": f"smtp://{HOST}:{values['SANDBOX_SMTP_PORT']}",
            "FLOWER_URL": f"http://{HOST}:{values['FLOWER_PORT']}/",
            "FLOWER_BASIC_AUTH": f"demo:{values['DEMO_PASSWORD']}",
            "CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT": "2",
            "PYTHONUNBUFFERED": "1",
        }
        self._needed = []
        if "DATABASE_URL" not in os.environ:
            self._needed.append(postgres)
        if "REDIS_URL" not in os.environ:
            self._needed.append(valkey)
        return values | {name: os.environ[name] for name in _MAY_BE_GIVEN if name in os.environ}

    def _start_servers(self, values: dict[str, str]) -> None:
        for server in self._needed:
            say(f"starting {type(server).__name__} on port {server.port} …")
            self._servers.append(server)
            server.start()

    def _store(self, values: dict[str, str]) -> None:
        """Write the environment for `manage.py` commands in another terminal, readable by the owner only."""
        self._env_file.touch(mode=0o600)
        self._env_file.write_text("".join(f"{name}={value}\n" for name, value in sorted(values.items())))

    def _run_processes(self, values: dict[str, str]) -> None:
        processes = Processes(self._home / "logs", values, self._wanted)
        say("starting " + ", ".join(processes.names) + " …")
        threading.Thread(target=self._announce, args=(values, processes), daemon=True).start()
        processes.run()

    def _announce(self, values: dict[str, str], processes: Processes) -> None:
        """Print the addresses once the page answers and the workers consume."""
        deadline = time.monotonic() + _READY_WITHIN_S
        health = {
            "web": f"http://{HOST}:{values['PORT']}/readyz",
            "sandbox": f"{values['SANDBOX_URL']}/healthz",
        }
        urls = [url for name, url in health.items() if name in processes.names]
        workers = _CELERY_WORKERS.intersection(processes.names)
        while time.monotonic() < deadline:
            if workers <= processes.log.consuming and all(map(_answers, urls)):
                self._ready_file.touch()
                say(_banner(values, time.monotonic() - self._started_at))
                return
            time.sleep(0.1)
        say(f"The page does not answer after {_READY_WITHIN_S} s; see {self._home / 'logs'}.")


@contextmanager
def _preparation(values: dict[str, str]) -> "Iterator[subprocess.Popen[str]]":
    """Start the preparation early: importing Django takes as long as starting the servers."""
    pipe = subprocess.PIPE
    command = [sys.executable, "-m", "sandbox.system.preparation"]
    environment = os.environ | values
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True
    ) as process:
        try:
            yield process
        except BaseException:
            process.kill()
            raise


def _finish(preparation: "subprocess.Popen[str]") -> str:
    """Let the preparation migrate and seed; return the demo source's key. Raises: `StartFailed`."""
    output, errors = preparation.communicate("the database is up\n")
    if preparation.returncode != 0:
        raise StartFailed(f"The migrations or the demo data failed:\n{errors.strip()[-2000:]}")
    return output.split()[-1]


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
_MAY_BE_GIVEN = (
    "CELERY_BROKER_URL",
    "DATABASE_URL",
    "REDIS_URL",
    "DJANGO_SETTINGS_MODULE",
    "TELEGRAM_API_URL",
    "TELEGRAM_BOT_TOKEN",
    "EMAIL_URL",
    "TOCSIN_PUBLIC_URL",
)


def curl_line(port: str, key: str) -> str:
    """Return a line that publishes a CRITICAL event, for pasting into any POSIX shell."""
    body = (
        '{"event_id":"curl-\'$(od -An -N8 -tx1 /dev/urandom | tr -d " \\n")\'","user_id":"demo",'
        "\"timestamp\":'$(date +%s)000',"
        '"event_type":"ORDER_FILLED","payload":{"symbol":"BTC/USDT","side":"buy","fill_quantity":"0.5",'
        '"fill_price":"64250.00"},"delivery":{"priority":"CRITICAL"}}'
    )
    return (
        f"curl -sS 'http://{HOST}:{port}/api/v1/events?wait=15' -H 'Authorization: Bearer {key}'"
        f" -H 'Content-Type: application/json' -d '{body}'"
    )


def person_line(port: str, key: str) -> str:
    """Return a line that creates the person alice, with a chat of the simulated Telegram."""
    body = (
        '{"name":"Alice","time_zone":"Europe/Zurich",'
        '"addresses":[{"channel":"TELEGRAM","address":"300200100","verified":true}]}'
    )
    return (
        f"curl -sS -X PUT 'http://{HOST}:{port}/api/v1/users/alice' -H 'Authorization: Bearer {key}'"
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

  Open the page, then paste this; a toast appears in under a second:

{curl_line(values["PORT"], values["DEMO_API_KEY"])}

  This creates a person of your own; then send the line above to "alice" instead of "demo":

{person_line(values["PORT"], values["DEMO_API_KEY"])}
"""
