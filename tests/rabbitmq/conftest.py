"""The real system over a RabbitMQ of its own, started as `make run` starts it with `CELERY_BROKER_URL`."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.development_system import System
from tests.rabbitmq.server import INSTALL, RabbitMQ, binary

PROCESSES = ("web", "worker", "control", "beat", "flower", "sandbox")


@pytest.fixture(scope="package")
def rabbit_folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="tocsin-rabbitmq-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="package")
def rabbitmq(rabbit_folder: Path) -> Iterator[RabbitMQ]:
    if binary() is None:
        assert not os.environ.get("TOCSIN_REQUIRE_RABBITMQ"), f"RabbitMQ is missing: {INSTALL}"
        pytest.skip(f"needs RabbitMQ: {INSTALL}")
    broker = RabbitMQ(rabbit_folder / "broker")
    try:
        yield broker.start()
    finally:
        broker.stop()


@pytest.fixture(scope="package")
def running_system(rabbit_folder: Path, rabbitmq: RabbitMQ) -> Iterator[System]:
    environment = {
        "CELERY_BROKER_URL": rabbitmq.url,
        "TOCSIN_RETRY_SCALE": "0.1",
        "TOCSIN_TELEGRAM_PER_S": "0",  # one chat gets them all here
        "TOCSIN_BREAKER_SHARE": "2",  # the broker is the subject, and each story's outage is its own
    }
    with System.started(rabbit_folder / "home", *PROCESSES, **environment) as system:
        rabbitmq.settled_at = time.monotonic() + 5
        yield system


@pytest.fixture
def system(running_system: System) -> System:
    running_system.fresh()
    return running_system
