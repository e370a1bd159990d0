"""What is chosen by the broker's URL. Needs no broker."""

import amqp
import pytest

from config import brokers

RABBIT = "amqp://user:password@broker:5672/tocsin"
REDIS = "redis://127.0.0.1:6379/0"


@pytest.mark.parametrize(
    ("url", "expected"),
    [(RABBIT, True), ("amqps://broker//", True), (REDIS, False), ("rediss://broker/0", False)],
)
def test_rabbitmq_is_known_by_its_url(url, expected) -> None:
    assert brokers.is_rabbitmq(url) is expected


def test_no_countdown_is_published_to_rabbitmq() -> None:
    assert brokers.countdown_max_s(RABBIT) == 0
    assert 0 < brokers.countdown_max_s(REDIS) < brokers.VISIBILITY_S


def test_publishers_wait_for_rabbitmqs_confirmation() -> None:
    connection = amqp.Connection("127.0.0.1:1", **brokers.transport_options(RABBIT))
    assert connection.confirm_publish


def test_redis_knows_nothing_of_quorum_queues() -> None:
    assert [queue.queue_arguments for queue in brokers.queues(REDIS)] == [None] * 3
    assert "visibility_timeout" in brokers.transport_options(REDIS)
    assert "visibility_timeout" not in brokers.transport_options(RABBIT)
