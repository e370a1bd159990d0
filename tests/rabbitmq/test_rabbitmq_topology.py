"""What stands in the broker: quorum queues that give up with a trace, and nothing that we do not use."""

import time

import httpx
import kombu
import pytest
from amqp.exceptions import NotFound, PreconditionFailed
from celery import Celery

from config import brokers
from tests.kit.eventually import eventually


@pytest.fixture
def channel(running_system, rabbitmq):
    with kombu.Connection(rabbitmq.url, transport_options={"confirm_publish": True}) as connection:
        yield connection.channel()


@pytest.mark.parametrize("queue", brokers.queues("amqp://"), ids=lambda queue: queue.name)
def test_the_queues_are_quorum_queues_with_a_dead_letter_exchange(channel, queue) -> None:
    queue(channel).declare()  # as it stands there, else the broker refuses
    for name in queue.queue_arguments:
        others = {key: value for key, value in queue.queue_arguments.items() if key != name}
        with pytest.raises(PreconditionFailed, match=name), channel.connection.channel() as another:
            another.queue_declare(queue.name, durable=True, auto_delete=False, arguments=others)


def test_a_doorbell_that_was_delivered_too_often_is_found_among_the_dead(channel) -> None:
    arguments = brokers.queues("amqp://")[0].queue_arguments
    channel.queue_declare("probe", durable=True, auto_delete=False, arguments=arguments)
    kombu.Producer(channel).publish("ring", routing_key="probe")
    for _ in range(arguments["x-delivery-limit"] + 1):
        taken(channel, "probe").reject(requeue=True)
    # Ticks of beat that expired while nobody consumed lie there too.
    while (dead := taken(channel, brokers.DEAD)).payload != "ring":
        dead.ack()
    dead.ack()
    assert channel.basic_get("probe") is None
    channel.queue_delete("probe")


def taken(channel, queue):
    deadline = time.monotonic() + 10
    while (message := channel.basic_get(queue)) is None:
        assert time.monotonic() < deadline, f"nothing in {queue}"
    return channel.message_to_python(message)


def test_celerys_delay_queues_are_not_declared(channel) -> None:
    with pytest.raises(NotFound):
        channel.exchange_declare("celery_delayed_27", "topic", passive=True)


def test_workers_answer_a_ping(running_system, rabbitmq) -> None:
    with Celery("probe", broker=rabbitmq.url, set_as_current=False) as operator:
        answers = operator.control.ping(timeout=20, limit=2)
    assert sorted(name.split("@")[0] for answer in answers for name in answer) == ["control", "worker"]


def test_flower_sees_the_workers_and_shows_them_to_nobody_else(running_system) -> None:
    values = running_system.values
    assert httpx.get(values["FLOWER_URL"], trust_env=False).status_code == 401
    login = tuple(values["FLOWER_BASIC_AUTH"].split(":"))
    with httpx.Client(base_url=values["FLOWER_URL"], auth=login, timeout=20, trust_env=False) as flower:

        def both() -> bool:
            found = flower.get("api/workers", params={"status": "true"}).raise_for_status().json()
            return sum(found.values()) == 2

        eventually(both, within_s=30)
