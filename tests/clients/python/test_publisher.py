"""A publisher against a real HTTP server that answers as it is told."""

import threading
import time

import pytest
import tocsin
from tocsin import Closed, Conflict, Event, InvalidEvent, JournalFull, NotFinal

from tests.clients.python.given_answers import acks, cut, problem, silence
from tests.kit.eventually import eventually

FILLED = ("alice", "ORDER_FILLED", {"symbol": "BTC/USDT"})
DELIVERED = acks("DELIVERED", delivered_via="WEB", evidence="CLIENT")


def test_an_event_is_filled_in_sent_and_answered(server, publish_to) -> None:
    publisher = publish_to()
    before = int(time.time() * 1000)
    ack = publisher.critical(*FILLED).wait_final(5)
    (sent,) = server.batches[0]
    assert (ack.status, ack.delivered_via, ack.evidence) == ("DELIVERED", "WEB", "CLIENT")
    assert (sent["event_id"], sent["event_type"]) == (ack.event_id, "ORDER_FILLED")
    assert before <= sent["timestamp"] <= time.time() * 1000
    assert sent["delivery"] == {"priority": "CRITICAL"}
    assert server.headers[0]["Authorization"] == "Bearer tsn_test_key"


def test_the_verbs_say_the_priority_and_the_channels(server, publish_to) -> None:
    publisher = publish_to()
    publisher.active_or_fallback("alice", "release.published", fallback=["TELEGRAM"]).wait_final(5)
    publisher.informational(topic="market.btc", event_type="MARKET_DATA_UPDATED").wait_final(5)
    (first,), (second,) = server.batches
    page = {"channel": "ACTIVE_SESSION", "only_if_active": True}
    assert first["delivery"] == {"priority": "NORMAL", "channels": [page, "TELEGRAM"]}
    assert (first["type_name"], "event_type" in first) == ("release.published", False)
    assert (second["delivery"]["priority"], second["topic"]) == ("INFORMATIONAL", "market.btc")


def test_a_503_is_tried_again_after_retry_after_under_the_same_id(server, publish_to) -> None:
    server.answers = [problem(503, "unavailable", Retry_After="1"), DELIVERED]
    published = publish_to().critical(*FILLED)
    assert published.wait_final(10).delivered
    assert server.ids == [published.event_id] * 2
    assert server.at[1] - server.at[0] >= 1


@pytest.mark.parametrize("trouble", [cut, silence(2.0), problem(502, "x"), problem(401, "invalid_key")])
def test_without_an_answer_it_is_sent_again_under_the_same_id(server, publish_to, trouble) -> None:
    server.answers = [trouble, DELIVERED]
    publisher = publish_to(timeout_s=0.5)
    published = publisher.critical(*FILLED)
    assert published.wait_final(10).delivered
    assert set(server.ids) == {published.event_id}
    assert publisher.status().error == ""


def test_what_is_queued_is_asked_for_until_its_end(server, publish_to) -> None:
    told = []
    server.answers = [acks("QUEUED"), acks("QUEUED", duplicate=True), DELIVERED]
    published = publish_to(on_ack=told.append).critical(*FILLED)
    assert published.wait_final(10).delivered
    assert server.ids == [published.event_id] * 3
    eventually(lambda: len(told) == 2)
    assert [ack.status for ack in told] == ["QUEUED", "DELIVERED"]


def test_a_conflict_is_its_end(server, publish_to) -> None:
    server.answers = [acks("ACK_ERROR", code="conflict", detail="other content", seq=0)]
    ack = publish_to().critical(*FILLED).wait_final(5)
    assert (ack.code, ack.final, len(server.batches)) == ("conflict", True, 1)


def test_an_overloaded_event_waits_and_the_others_do_not(server, publish_to) -> None:
    refused, taken = (
        acks("ACK_ERROR", code="overloaded", seq=0, retry_after="1", final=True),
        DELIVERED,
    )
    server.answers = [refused, taken]
    publisher = publish_to()
    first = publisher.active_or_fallback(*FILLED)
    eventually(lambda: len(server.batches) == 1)
    assert publisher.critical(*FILLED).wait_final(5).delivered
    assert first.final is None
    assert first.wait_final(5).delivered


@pytest.mark.parametrize("code", ["quota_exceeded", "too_many_open"])
def test_what_is_above_a_quota_is_sent_again(server, publish_to, code) -> None:
    server.answers = [acks("ACK_ERROR", code=code, seq=0, retry_after="1"), DELIVERED]
    published = publish_to().critical(*FILLED)
    assert published.wait_final(10).delivered
    assert server.ids == [published.event_id] * 2


def test_a_batch_that_is_refused_as_a_whole_is_taken_apart(server, publish_to) -> None:
    def one_is_bad(events: list[dict]):
        if any(event["user_id"] == "bad" for event in events):
            return problem(422, "invalid_json")(events)
        return DELIVERED(events)

    server.answers = [one_is_bad]
    published = publish_to().publish_many([Event(user, "X_Y") for user in ("a", "b", "bad", "c", "d")])
    assert [one.wait_final(5).code for one in published] == ["", "", "invalid_json", "", ""]


def test_events_of_one_ordering_key_go_one_after_the_other(server, publish_to) -> None:
    server.answers = [
        acks("ACK_ERROR", code="overloaded", seq=0, retry_after="1"),
        DELIVERED,
    ]
    publisher = publish_to()
    events = [Event("a", "X_Y", event_id=f"e{n}", ordering_key="order-1") for n in range(3)]
    for one in publisher.publish_many(events):
        assert one.wait_final(10).delivered
    assert server.ids == ["e0", "e0", "e1", "e2"]


def test_what_an_earlier_process_left_is_sent_by_the_next(server, publish_to) -> None:
    server.answers = [problem(503, "unavailable", Retry_After="30"), DELIVERED]
    first = publish_to()
    published = first.critical(*FILLED)
    eventually(lambda: server.batches)
    assert first.close(0) == 1
    assert publish_to().wait_final(published.event_id, 5).delivered
    with pytest.raises(Closed):
        first.critical(*FILLED)


def test_a_full_journal_makes_publish_wait_and_then_raise(server, publish_to) -> None:
    server.answers = [problem(503, "unavailable", Retry_After="1"), DELIVERED]
    publisher = publish_to(max_events=1, block_s=0.2)
    publisher.critical(*FILLED)
    with pytest.raises(JournalFull):
        publisher.critical(*FILLED)
    publisher._block_s = 10.0
    assert publisher.critical(*FILLED).wait_final(5).delivered  # room came with the first one's end


def test_an_event_that_expired_unanswered_ends(server, publish_to) -> None:
    server.answers = [problem(503, "unavailable")]
    long_ago = int(time.time() * 1000) - 3_600_000
    ack = publish_to().critical(*FILLED, expires_at=long_ago).wait_final(10)
    assert (ack.code, ack.local) == ("expired", True)


def test_an_informational_event_is_sent_once(server, publish_to) -> None:
    server.answers = [cut]
    publisher = publish_to()
    ack = publisher.informational(*FILLED).wait_final(5)
    assert (ack.code, ack.local, len(server.batches)) == ("not_sent", True, 1)
    assert publisher.status().waiting == 0


def test_the_same_id_is_one_event_and_other_content_a_conflict(server, publish_to) -> None:
    server.answers = [acks("QUEUED")]
    publisher = publish_to()
    for _ in range(2):
        publisher.critical(*FILLED, event_id="order-1")
    with pytest.raises(Conflict):
        publisher.critical("bob", "ORDER_FILLED", event_id="order-1")
    assert publisher._engine().journal.open_count() == 1


@pytest.mark.parametrize(
    ("event", "code"),
    [
        (Event("", "X_Y"), "missing_field"),
        (Event("a", "X_Y", topic="t"), "missing_field"),
        (Event("a", ""), "missing_field"),
        (Event("a", "X_Y", {"n": float("nan")}), "invalid_json"),
        (Event("a", "X_Y", {"text": "x" * 262_144}), "too_large"),
        (Event("a", "X_Y", priority="URGENT"), "unknown_value"),
    ],
)
def test_an_event_that_would_be_refused_is_refused_at_once(publish_to, event, code) -> None:
    with pytest.raises(InvalidEvent) as raised:
        publish_to().publish(event)
    assert raised.value.code == code


def test_without_a_final_ack_in_time_it_says_why_and_goes_on(server, publish_to) -> None:
    server.answers = [problem(401, "invalid_key")]
    publisher = publish_to()
    published = publisher.critical(*FILLED)
    eventually(lambda: publisher.status().error)
    with pytest.raises(NotFinal, match="invalid_key"):
        published.wait_final(0.1)
    assert publisher.status().waiting == 1


def test_many_threads_share_a_publisher(server, publish_to) -> None:
    publisher, published = publish_to(), []

    def run() -> None:
        published.extend(publisher.critical(*FILLED) for _ in range(25))

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert publisher.flush(10)
    assert sorted(set(server.ids)) == sorted(one.event_id for one in published)


def test_an_on_ack_that_fails_does_not_keep_the_others(server, publish_to) -> None:
    told = []

    def fails(ack: tocsin.Ack) -> None:
        told.append(ack.event_id)
        raise RuntimeError("the producer's own")

    publisher = publish_to(on_ack=fails)
    ids = [publisher.critical(*FILLED).event_id for _ in range(3)]
    eventually(lambda: len(told) == 3)
    assert told == ids
