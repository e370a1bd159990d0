"""`Content-Encoding`: gzip is taken up to the limit of a plain body, all else is named."""

import gzip
import json
import zlib

import pytest

from gateway.codec import limits
from tests.gateway.good_events import event_json, event_message
from tests.gateway.other_ends import Producer

pytestmark = pytest.mark.django_db(transaction=True)
JSON = {"Content-Type": "application/json"}

EMPTY = gzip.compress(b"{}", mtime=0)


def post(producer: Producer, body: bytes, encoding: str, path: str = "/events", **headers: str):
    return producer.post(path, content=body, headers={**JSON, "Content-Encoding": encoding, **headers})


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "x-gzip"])
def test_a_gzip_body_is_the_same_event(producer: Producer, encoding: str) -> None:
    event = event_json()
    assert post(producer, gzip.compress(json.dumps(event).encode()), encoding).status_code in {200, 202}
    again = producer.post("/events", json=event)
    assert again.json()["duplicate"]


def test_batches_protobuf_and_several_members(producer: Producer) -> None:
    text = json.dumps({"events": [event_json(), event_json()]}).encode()
    members = gzip.compress(text[:50]) + gzip.compress(text[50:])
    assert len(post(producer, members, "gzip", "/events/batch").json()["acks"]) == 2
    message = gzip.compress(event_message().SerializeToString())
    answer = post(producer, message, "gzip", **{"Content-Type": "application/x-protobuf"})
    assert answer.status_code in {200, 202}


@pytest.mark.parametrize("encoding", ["deflate", "br", "zstd", "gzip, gzip", "compress"])
@pytest.mark.parametrize("path", ["/events", "/events/batch", "/events/replay"])
def test_another_encoding_is_refused_with_the_one_that_is_taken(
    daphne, venue, ann, encoding: str, path: str
) -> None:
    from users import keys

    with Producer(daphne, keys.issue(venue, ["publish", "read", "replay"])) as producer:
        answer = post(producer, zlib.compress(b"{}"), encoding, path)
    assert answer.status_code == 415
    assert "gzip" in answer.json()["detail"]


@pytest.mark.parametrize(("path", "limit"), [("/events", 256 * 1024), ("/events/batch", limits.BATCH_BYTES)])
def test_a_bomb_is_unpacked_to_the_limit_only(producer: Producer, path: str, limit: int) -> None:
    bomb = gzip.compress(bytes(100 * limit))
    assert post(producer, bomb[:limit], "gzip", path).status_code == 413


@pytest.mark.parametrize(
    "body", [b"", b"{}", EMPTY[:-4], EMPTY + b"rest"], ids=["nothing", "json", "cut", "more"]
)
def test_what_is_no_gzip_is_named(producer: Producer, body: bytes) -> None:
    answer = post(producer, body, "gzip")
    assert answer.status_code == 422
    assert answer.json()["code"] in {"invalid_gzip", "invalid_json"}
