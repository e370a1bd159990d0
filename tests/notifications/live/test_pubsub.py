"""Presence and pushes, with and without a Redis server."""

import json

import pytest
import redis
from django.conf import settings

from notifications.live import pubsub


def test_a_user_is_online_while_a_page_is_open(open_page, ada, desk) -> None:
    bob = desk.person("bob")
    assert pubsub.online([ada.pk, bob.pk]) == frozenset()
    page = open_page(ada)
    assert pubsub.online([ada.pk, bob.pk]) == {ada.pk}
    page.close()
    assert pubsub.online([ada.pk, bob.pk]) == frozenset()


def test_empty_batches_return_empty_results() -> None:
    assert pubsub.online([]) == frozenset()
    assert pubsub.push([]) == []


def test_a_push_reaches_every_page_of_its_user_and_no_other(open_page, ada, desk) -> None:
    bob, one, two = desk.person("bob"), open_page(ada), open_page(ada)
    other = open_page(bob)
    assert pubsub.push([(ada.pk, pubsub.frame("a")), (bob.pk, pubsub.frame("b")), (0, b"c")]) == [2, 1, 0]
    assert [page.frames() for page in (one, two, other)] == [[{"type": "a"}]] * 2 + [[{"type": "b"}]]


def test_pushes_to_one_user_arrive_in_order(open_page, ada) -> None:
    page = open_page(ada)
    pubsub.push([(ada.pk, pubsub.frame("event", seq=number)) for number in range(100)])
    assert [frame["seq"] for frame in page.frames()] == list(range(100))


def test_an_end_wakes_the_waiting_requests_and_the_writer_of_replies() -> None:
    with redis.Redis.from_url(settings.REDIS_URL) as client, client.pubsub() as waiting:
        waiting.subscribe(pubsub.final_channel(7), pubsub.REPLIES_DUE)
        for _ in range(2):
            waiting.get_message(timeout=5)
        pubsub.announce_finals([7, 8], replies=True)
        pubsub.announce_finals([7], replies=False)
        pubsub.announce_finals([7], replies=True)
        found = [waiting.get_message(timeout=5)["channel"] for _ in range(5)]
    replies = pubsub.REPLIES_DUE.encode()
    assert found == [b"final.7", replies, b"final.7", b"final.7", replies]


def test_a_frame_is_one_line_of_json_without_escaped_letters() -> None:
    frame = pubsub.frame("event", title="Zürich\n€")
    assert json.loads(frame) == {"type": "event", "title": "Zürich\n€"}
    assert "Zürich".encode() in frame and b"\n" not in frame


@pytest.mark.usefixtures("redis_away")
class TestWithoutRedis:
    def test_all_users_are_offline(self) -> None:
        assert pubsub.online([1, 2]) == frozenset()

    def test_no_push_has_a_receiver(self) -> None:
        assert pubsub.push([(1, b"a"), (2, b"b")]) == [0, 0]

    def test_an_end_is_not_announced_and_nothing_is_raised(self) -> None:
        pubsub.announce_finals([1], replies=True)
