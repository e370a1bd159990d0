"""One publish to 1,000 sockets: deliveries/s, and the time until the last socket has it.

Ours are a thousand persons who follow one topic; the others' sockets listen to one group, or one channel.
Deliveries/s with a few publishes under way; the time of the last with one alone.
"""

import statistics
import time

import gateways
import messages
import publishers
import sides
from crowd import Crowd, Hello, frame_length
from results import Row, record, scale
from system import servers

from notifications.live import pubsub

SOCKETS = 1_000
UNDER_WAY = 5
FRAME = frame_length(messages.EVENT_BYTES)


def join(name: str, keys: dict[str, int]) -> tuple[list[Hello], bytes]:
    """Return how the clients subscribe to one topic, and the command that publishes to it once."""
    everybody, data = "everybody", messages.event(0)
    if name == sides.CHANNELS:
        hellos = [Hello(f"/ws/{everybody}", "", b'"ready"')] * SOCKETS
        channel, data = messages.group_channel(everybody), messages.group_message(data)
        return hellos, publishers.publish_command(channel, data)
    if name == sides.NCHAN:
        return [Hello(f"/sub/{everybody}")] * SOCKETS, publishers.post_request(everybody, data)
    command = publishers.publish_command(pubsub.topic_channel(everybody), data)
    return [gateways.hello_of(external_id) for external_id in keys], command


def let_follow(topic: str, keys: dict[str, int]) -> None:
    """Let all these persons follow the topic: their sockets do, from when they are ready."""
    from django.utils import timezone

    from users.models import TopicRule, TopicSubscription

    TopicRule.objects.create(prefix=topic, audience=TopicRule.Audience.EVERYBODY)
    now = timezone.now()
    TopicSubscription.objects.bulk_create(
        TopicSubscription(person_id=pk, topic=topic, created_at=now) for pk in keys.values()
    )


def run(side: sides.Side, crowd: Crowd, command: bytes, times: int, under_way: int) -> float:
    """Return deliveries/s of `times` publishes, with at most `under_way` of them unfinished."""
    publisher = side.publisher()
    crowd.settle()
    a_publish = len(crowd.sockets) * FRAME
    published = received = 0
    began = time.perf_counter()
    while received < times * a_publish:
        if published < times and published - received // a_publish < under_way:
            publisher.send(command)
            published += 1
        publisher.drop_answers()
        received += crowd.read(1)
        if time.perf_counter() - began > 120:
            raise SystemExit(f"{side.name}: {received // FRAME} deliveries arrived")
    took = time.perf_counter() - began
    publisher.close()
    return times * len(crowd.sockets) / took


def measure(name: str, keys: dict[str, int], times: int, rounds: int) -> tuple[float, float]:
    """Return deliveries/s, and the milliseconds until the last socket has a single publish."""
    hellos, command = join(name, keys)
    with sides.running(name, keys) as side:
        crowd = Crowd(side.gateway.port, hellos)
        crowd.open(at_once=20)
        run(side, crowd, command, times // 5, UNDER_WAY)  # warm
        rate = statistics.median(run(side, crowd, command, times, UNDER_WAY) for _ in range(rounds))
        single = statistics.median(run(side, crowd, command, 1, 1) for _ in range(7 * rounds))
        crowd.close()
    return rate, SOCKETS / single * 1000


def main() -> None:
    times, rounds = scale(quick=(20, 1), full=(100, 3))
    with servers():
        keys = sides.persons(SOCKETS)
        let_follow("everybody", keys)
        rates, lasts = [], []
        for name in sides.names():
            rate, last_ms = measure(name, keys, times, rounds)
            rates.append(Row(name, rate, "deliveries/s"))
            lasts.append(Row(name, last_ms, "ms", "less"))
            print(f"{name}: {rate:,.0f} deliveries/s, the last has it after {last_ms:.1f} ms", flush=True)
    record("broadcast", "one publish to 1,000 sockets", rates)
    record("broadcast_last", "one publish to 1,000 sockets, until the last has it", lasts)


if __name__ == "__main__":
    main()
