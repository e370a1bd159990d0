from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tocsin import EventPublisher

from tests.clients.python.given_answers import GivenAnswers


@pytest.fixture
def server() -> Iterator[GivenAnswers]:
    running = GivenAnswers()
    yield running
    running.close()


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite3"


@pytest.fixture
def publish_to(server: GivenAnswers, journal: Path) -> Iterator[Callable[..., EventPublisher]]:
    """Make publishers to the server with one journal, the one before closed by the test or at the end."""
    made: list[EventPublisher] = []

    def make(**options: object) -> EventPublisher:
        options = {"key": "tsn_test_key", "journal": journal, "timeout_s": 5} | options
        made.append(EventPublisher(server.url, **options))
        return made[-1]

    yield make
    for publisher in made:
        publisher.close(0)
