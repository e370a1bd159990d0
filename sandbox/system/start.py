"""Shared parts of the embedded servers: address, free ports, waiting for the first answer."""

import fcntl
import random
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from sandbox.system.child_process import end

HOST = "127.0.0.1"
_START_WITHIN_S = 30.0
_TRIES = 20
_PORTS = range(10_240, 32_768)
_random = random.SystemRandom()  # whatever seed a program has set: two at once must not choose alike


class StartFailed(Exception):
    """A server did not start. The text has the reason and what to do."""


class PortTaken(StartFailed):
    """Another program took the port between its choice and the server's start."""


class Ports:
    """Free ports that no other start on this machine is given before they are closed."""

    def __init__(self) -> None:
        self._locks: list[IO[bytes]] = []

    def take(self, usual: int) -> int:
        """Return `usual` if it is free, else another free port. Raises: `StartFailed`."""
        for wanted in (usual, *[0] * _TRIES):
            port = free_port(wanted)
            if self._lock(port):
                return port
        raise StartFailed("No free port on this machine.")

    def close(self) -> None:
        """Give the ports back."""
        while self._locks:
            self._locks.pop().close()

    def _lock(self, port: int) -> bool:
        try:
            lock = (Path(tempfile.gettempdir()) / f"tocsin-port-{port}.lock").open("ab")
        except PermissionError:  # another user's
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            return False
        self._locks.append(lock)
        return True


def free_port(usual: int) -> int:
    """Return `usual` if it is free, else another free port.

    It is below the ports that the system gives to outgoing connections: one of these would keep a server from
    coming back to its port, or, as a client of a server that is away, be connected to itself.
    """
    tried = [usual] if usual else []
    for port in (*tried, *_random.sample(_PORTS, 50), 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            found: int = probe.getsockname()[1]
            return found
    raise StartFailed("No free port on this machine.")


def package_folder(name: str) -> Path:
    """Return the folder of an installed package, without importing it."""
    found = find_spec(name)
    if found is None or found.origin is None:
        raise StartFailed(f"{name} is not installed: pip install -r requirements/embedded.txt")
    return Path(found.origin).parent


def await_start(
    name: str, log: Path, process: "subprocess.Popen[bytes]", answers: Callable[[], bool]
) -> None:
    deadline = time.monotonic() + _START_WITHIN_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        if answers():
            return
        time.sleep(0.05)
    end(process)
    last = "\n".join(log.read_text(errors="replace").splitlines()[-8:])
    failed = PortTaken if "Address already in use" in last else StartFailed
    raise failed(f"{name} did not start. The end of {log}:\n{last}")
