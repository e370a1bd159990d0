"""Flower as an operator meets it: every page asks for the login, and every worker is there."""

import os
import shlex
import sys
from collections.abc import Iterator

import httpx
import pytest

from config.env import ROOT
from tests.kit.development_system import System
from tests.kit.eventually import eventually
from tests.kit.processes import running

QUEUES = {"critical", "normal", "control"}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Flower on a system whose workers have not started yet."""
    folder = tmp_path_factory.mktemp("flower")
    folder.chmod(0o755)
    with System.started(folder / "home", "flower", "sandbox") as system:
        eventually(lambda: ask(system, "/healthcheck").status_code == 200, within_s=30)
        yield system


def ask(system: System, path: str, **how: object) -> httpx.Response:
    how.setdefault("auth", tuple(system.values["FLOWER_BASIC_AUTH"].split(":")))
    url = system.values["FLOWER_URL"].rstrip("/") + path
    try:
        return httpx.get(url, timeout=20, trust_env=False, **how)  # type: ignore[arg-type]
    except httpx.ConnectError:
        return httpx.Response(503)


@pytest.mark.parametrize("path", ["/", "/broker", "/tasks", "/api/workers", "/metrics", "/healthcheck"])
def test_it_shows_nothing_without_the_login(alone: System, path: str) -> None:
    assert ask(alone, path, auth=None).status_code == 401
    assert ask(alone, path, auth=("demo", "wrong")).status_code == 401
    assert ask(alone, path).status_code == 200


def test_workers_that_start_later_are_shown_with_their_queues_and_nobody_refreshes(alone: System) -> None:
    commands = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())
    environment = os.environ | alone.values

    def shown() -> set[str]:
        workers = ask(alone, "/api/workers").json().values()
        return {queue["name"] for worker in workers for queue in worker.get("active_queues", [])}

    assert shown() == set()
    with (
        running(_words(commands["control"]), alone.home / "control.log", environment=environment),
        running(_words(commands["worker"]), alone.home / "worker.log", environment=environment),
    ):
        eventually(lambda: shown() >= QUEUES, within_s=40)
        page = ask(alone, "/broker").text
    assert all(queue in page for queue in QUEUES)


def _words(command: str) -> list[str]:
    """Return the Procfile's command as `sh -c` runs it, on this interpreter."""
    python = shlex.quote(sys.executable)
    return ["sh", "-c", command.replace(" python ", f" exec {python} ")]
