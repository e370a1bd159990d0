"""Real servers for every test, on free ports: one Postgres a run, one Valkey a process that runs tests."""

import os
import shutil
import tempfile
from pathlib import Path

import hypothesis
import pytest
from django.conf import settings

from sandbox.system.postgres import Postgres
from sandbox.system.start import free_port
from sandbox.system.valkey import Valkey

# What tests share says, too, why an assertion does not hold.
pytest.register_assert_rewrite(*(f"tests.{entry.name}" for entry in Path(__file__).parent.iterdir()))

# The same examples in every run, so that a change fails for what it changes. Others are tried with
# `make test ARGS=--hypothesis-profile=default`.
hypothesis.settings.register_profile("same", derandomize=True)
hypothesis.settings.load_profile("same")

_servers: list[Postgres | Valkey] = []
_folder: Path | None = None


def pytest_configure(config: pytest.Config) -> None:
    """Start the servers, or find them by URLs from outside.

    Each process of xdist has a database of its own, by pytest-django, and a Valkey of its own, as what is
    published to a channel is heard in all of a server's numbered databases.
    """
    global _folder
    _folder = Path(tempfile.mkdtemp(prefix="tocsin-test-"))
    _folder.chmod(0o755)
    os.environ["TOCSIN_HOME"] = str(_folder)
    if "DATABASE_URL" not in os.environ:  # xdist's processes inherit it
        postgres = Postgres(_folder, "test", free_port(0), fast=True)
        _servers.append(postgres)
        postgres.start()
        os.environ["DATABASE_URL"] = postgres.url()
    if "REDIS_URL" not in os.environ or _is_of_xdist(config):
        valkey = Valkey(_folder, "test", free_port(0))
        _servers.append(valkey)
        valkey.start()
        os.environ["REDIS_URL"] = valkey.url
    _read_settings()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    """Let xdist's processes inherit no settings' name: pytest-django would read them before they are set."""
    os.environ.pop("DJANGO_SETTINGS_MODULE", None)  # `config.celery` names the development's


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Divide the tests as `tests/kit/distribution.py` says, whatever `--dist` says."""
    from tests.kit.distribution import Distribution

    return Distribution(config, log)


def _is_of_xdist(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def _read_settings() -> None:
    """Let Django read its settings now that the servers' URLs are known; pytest-django sets up the rest."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.test"
    assert settings.DATABASES
    del os.environ["DJANGO_SETTINGS_MODULE"]


def pytest_unconfigure(config: pytest.Config) -> None:
    for server in reversed(_servers):
        server.stop()
    _servers.clear()
    if _folder is not None:
        shutil.rmtree(_folder, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def one_look_at_the_databases_clock(django_db_setup, django_db_blocker) -> None:
    """Look once: a test without a database must not look again when it asks for the time."""
    from runtime.postgres import clock

    with django_db_blocker.unblock():
        clock._clock.look()
    clock._clock._look_at = float("inf")


@pytest.fixture(scope="session", autouse=True)
def lasting_permissions(django_db_setup) -> None:
    """Keep permissions and content types after a test with transactions: to make them again costs 50 ms."""
    from django.contrib.auth.models import Permission
    from django.contrib.contenttypes.management import create_contenttypes
    from django.contrib.contenttypes.models import ContentType
    from django.db.models.signals import post_migrate

    for kept in (Permission, ContentType):
        kept._meta.managed = False  # a flush passes over it
    post_migrate.disconnect(dispatch_uid="django.contrib.auth.management.create_permissions")
    post_migrate.disconnect(create_contenttypes)


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """Leave the databases to the end of their server: a drop fails while anything is still connected."""
    return True
