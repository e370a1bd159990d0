"""The rate of a key: a bucket that all processes share, headers on each answer, and 429 above it."""

import pytest
from django.test import Client

from gateway.auth import key_rates
from runtime.postgres import clock
from runtime.redis.client import client
from tests.gateway.good_events import event_json
from tests.gateway.other_ends import Producer
from users import keys
from users.keys import LiveKey
from users.models import ApiKey

NOW_MS = 1_795_000_000_000.0


@pytest.fixture(autouse=True)
def full_buckets():
    yield
    for key in client().scan_iter("key-rate.*"):
        client().delete(key)


def key_with(rate_per_s: int | None, burst: int | None = None, prefix: str = "aaaaaaaaaa") -> LiveKey:
    return LiveKey(prefix, b"", [], 1, "venue", [], 2, [], rate_per_s=rate_per_s, burst=burst)


def taken(key: LiveKey, cost: int, after_ms: float = 0) -> tuple[bool, int, int] | None:
    [standing] = key_rates.take([(key, cost)], now_ms=NOW_MS + after_ms)
    return None if standing is None else (standing.taken, standing.left, standing.wait_s)


def test_a_bucket_is_emptied_and_fills_at_its_rate() -> None:
    key = key_with(10, 20)
    assert taken(key, 15) == (True, 5, 0)
    assert taken(key, 6) == (False, 5, 1)
    assert taken(key, 6, after_ms=100) == (True, 0, 0)
    assert taken(key, 1, after_ms=100) == (False, 0, 1)
    assert taken(key, 20, after_ms=2_100) == (True, 0, 0)


def test_a_batch_larger_than_the_burst_waits_for_a_full_bucket_and_owes_the_rest() -> None:
    key = key_with(10, 20)
    assert taken(key, 50) == (True, 0, 0)
    assert taken(key, 1, after_ms=3_000) == (False, 0, 1)
    assert taken(key, 1, after_ms=3_100) == (True, 0, 0)


def test_several_requests_of_one_key_share_its_bucket_and_another_key_has_its_own() -> None:
    key, other = key_with(1, 2), key_with(1, 2, prefix="bbbbbbbbbb")
    standings = key_rates.take([(key, 1), (key, 1), (key, 1), (other, 1)], now_ms=NOW_MS)
    assert [one and one.taken for one in standings] == [True, True, False, True]


def test_a_key_without_a_rate_is_not_limited_and_has_no_headers() -> None:
    assert taken(key_with(None), 1_000) is None
    assert taken(key_with(0), 1_000) is None


def test_the_headers_name_the_burst_what_is_left_and_when_it_is_full() -> None:
    [standing] = key_rates.take([(key_with(10, 20), 5)], now_ms=NOW_MS)
    assert standing is not None
    assert standing.headers() == {
        "RateLimit-Limit": "20",
        "RateLimit-Remaining": "15",
        "RateLimit-Reset": "1",
        "RateLimit-Policy": "20;w=2",
    }


def test_a_publish_above_the_rate_is_refused_and_nothing_of_it_is_accepted(producer: Producer) -> None:
    ApiKey.objects.update(rate_per_s=1, burst=3)
    first = [event_json(event_id=f"a{number}") for number in range(90)]
    taken = producer.post("/events/batch", json={"events": first})
    assert (taken.status_code, taken.headers["RateLimit-Remaining"]) == (200, "0")
    refused = producer.publish(event_id="later")
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert int(refused.headers["Retry-After"]) > 60 and refused.headers["RateLimit-Limit"] == "3"
    assert producer.get("/events").status_code == 429
    ApiKey.objects.update(rate_per_s=0)
    assert producer.get("/event", params={"event_id": "later"}).status_code == 404


def test_any_call_counts(venue) -> None:
    key = keys.issue(venue, ["read", "people"])
    ApiKey.objects.update(rate_per_s=1, burst=50)
    caller = Client(headers={"Authorization": f"Bearer {key}"})
    for path in ("/events", "/users"):
        answer = caller.get(f"/api/v1{path}")
        assert answer.status_code == 200 and 45 < int(answer["RateLimit-Remaining"]) < 50
    live = keys.authenticate(key, now=clock.now())
    assert live is not None
    client().delete(f"key-rate.{live.prefix}")
    key_rates.take([(live, 100)])
    refused = caller.get("/api/v1/users")
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert int(refused["Retry-After"]) > 0
