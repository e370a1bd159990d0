"""Real servers for every test: one Postgres and one Valkey a run, on free ports, in a folder of its own."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from django.conf import settings

from config.embedded import Postgres, Valkey, free_port

_servers: list[Postgres | Valkey] = []
_folder: Path | None = None


def pytest_configure(config: pytest.Config) -> None:
    """Start the servers in the controlling process; xdist's workers find them by their URLs."""
    global _folder
    if hasattr(config, "workerinput"):
        number = int(config.workerinput["workerid"].removeprefix("gw"))
        os.environ["REDIS_URL"] = os.environ["REDIS_URL"].rsplit("/", 1)[0] + f"/{number + 1}"
        _read_settings()
        return
    _folder = Path(tempfile.mkdtemp(prefix="tocsin-test-"))
    _folder.chmod(0o755)
    os.environ["TOCSIN_HOME"] = str(_folder)
    if "DATABASE_URL" not in os.environ:
        postgres = Postgres(_folder, "test", free_port(0), fast=True)
        _servers.append(postgres)
        postgres.start()
        os.environ["DATABASE_URL"] = postgres.url()
    if "REDIS_URL" not in os.environ:
        valkey = Valkey(_folder, "test", free_port(0))
        _servers.append(valkey)
        valkey.start()
        os.environ["REDIS_URL"] = valkey.url
    _read_settings()


def _read_settings() -> None:
    """Let Django read its settings now that the servers' URLs are known; pytest-django sets up the rest.

    The name does not stay in the environment: pytest-django of xdist's workers would read them too early.
    """
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.test"
    assert settings.DATABASES
    del os.environ["DJANGO_SETTINGS_MODULE"]


def pytest_unconfigure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):
        return
    for server in reversed(_servers):
        server.stop()
    _servers.clear()
    if _folder is not None:
        shutil.rmtree(_folder, ignore_errors=True)
