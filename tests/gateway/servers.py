"""A real Daphne as a process of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from sandbox.system.start import free_port
from tests.kit.processes import answers, running
from tests.kit.sign_in import JWT_KEY_SETTING

AUTH_WITHIN_S = 1.0
ALLOWED_ORIGIN = "https://shop.example:8443"  # may use tokens, and no sessions
PATIENCE = {  # with pages that are quicker than people; floods have tests of their own
    "TOCSIN_SOCKET_FRAMES_PER_S": "10000",
    "TOCSIN_SOCKET_FRAMES_BURST": "10000",
}


@dataclass
class Server:
    """A running Daphne."""

    process: "subprocess.Popen[bytes]"
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"


@contextmanager
def running_daphne(log: Path, *, wanted_port: int = 0, **env: str) -> Iterator[Server]:
    port = free_port(wanted_port)
    server = [sys.executable, "-m", "gateway.server", "-b", "127.0.0.1", "-p", str(port)]
    command = [*server, "config.asgi:application"]
    settings = {"DJANGO_SETTINGS_MODULE": "config.settings.development", "TOCSIN_HOME": str(log.parent)}
    settings |= PATIENCE
    url = f"http://127.0.0.1:{port}/healthz"
    with running(command, log, lambda: answers(url), environment=os.environ | settings | env) as child:
        assert child.process is not None
        yield Server(child.process, port)


def database_url(name: str) -> str:
    return urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()


@contextmanager
def running_server_of(log: Path, **env: str) -> Iterator[Server]:
    """Run a server on the test's database that believes the tests' tokens."""
    from django.db import connection

    url = database_url(connection.settings_dict["NAME"])
    with running_daphne(log, **({"DATABASE_URL": url} | JWT_KEY_SETTING | env)) as server:
        yield server
