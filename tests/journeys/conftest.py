"""One running system for all stories, and further ones for those that stop theirs."""

import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kit.development_system import System
from tests.kit.other_site import OtherSite


@pytest.fixture(scope="package")
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="tocsin-journey-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="package")
def other_site(folder: Path) -> Iterator[OtherSite]:
    """A site of another origin, whose pages the system allows."""
    with OtherSite.serving(folder / "site") as site:
        yield site


@pytest.fixture(scope="package")
def running_system(folder: Path, other_site: OtherSite) -> Iterator[System]:
    with System.started(
        folder / "home",
        *("web", "worker", "control", "beat", "streams", "bot", "sandbox"),
        TOCSIN_RETRY_SCALE="0.1",
        **other_site.settings,
        TOCSIN_TELEGRAM_PER_S="0",  # one chat gets them all here, and Telegram allows it one a second
    ) as system:
        yield system


@pytest.fixture
def system(running_system: System) -> System:
    running_system.fresh()
    return running_system


@pytest.fixture
def start_system(folder: Path) -> Iterator[Callable[..., System]]:
    """Start further systems; by default all in one home of their own, one after the other."""
    started: list[System] = []

    def start(*processes: str, home: Path | None = None, **environment: str) -> System:
        started.append(System(home or folder / "second", *processes, **environment))
        return started[-1]

    yield start
    for system in started:
        if system.process.poll() is None:
            system.stop(signal.SIGTERM)
        if system.home != folder / "home":
            system.kill()
