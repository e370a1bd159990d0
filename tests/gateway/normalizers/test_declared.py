"""Generic JSON by a declared mapping, and CloudEvents: which events they become."""

import json

import pytest

from gateway.codec.limits import InvalidEvent
from gateway.normalizers.base import Received, To, Whom
from gateway.normalizers.cloudevents import CLOUDEVENTS
from gateway.normalizers.json_mapping import JSON

NOW_MS = 1_764_000_000_000


def read(
    form, body: bytes, options: dict | None = None, media_type: str = "application/json", **headers: str
):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    checked = form.check_options(options or {})
    return form.read(Received(body, media_type, named, options=checked, now_ms=NOW_MS))


def one_of(options: dict, body: str):
    [draft] = read(JSON, body.encode(), {"to": {"user_id": "ann"}, "event_type": "t"} | options)
    return draft


def test_amounts_keep_every_digit() -> None:
    payload = {"price": "{price}", "text": "{price} USDT", "all": "{n}"}
    draft = one_of({"payload": payload}, '{"price": 85000.00, "n": [0.1, 1e-8, 12345678901234567890.0]}')
    assert draft.event["payload"] == {
        "price": "85000.00",
        "text": "85000.00 USDT",
        "all": [0.1, "1e-8", "12345678901234567890.0"],
    }


def test_places_indices_quoted_keys_lookups_and_braces() -> None:
    options = {
        "event_id": 'e-{a["b c"][1].d}',
        "event_type": {"from": "{state}", "values": {"done": "ORDER_FILLED"}, "else": "order.other"},
        "priority": {"from": "{urgent}", "values": {"true": "CRITICAL", "false": "NORMAL"}},
        "content": {"title": "{{{state}}}", "body": "{none?}", "actions": [{"label": "Go", "url": "{url}"}]},
        "version": "{v}",
    }
    body = '{"a": {"b c": [0, {"d": 7}]}, "state": "done", "urgent": true, "url": "https://x", "v": 3}'
    draft = one_of(options, body)
    assert draft.event_id == "e-7"
    assert draft.event == {
        "event_type": "ORDER_FILLED",
        "delivery": {"priority": "CRITICAL"},
        "content": {"title": "{done}", "actions": [{"label": "Go", "url": "https://x"}]},
        "version": 3,
        "timestamp": NOW_MS,
    }
    assert one_of(options, body.replace("done", "open")).event["type_name"] == "order.other"


@pytest.mark.parametrize(
    ("given", "milliseconds"),
    [
        ("1764000000", 1_764_000_000_000),
        ("1764000000123", 1_764_000_000_123),
        ("1764000000123456", 1_764_000_000_123),
        ('"1764000000123456789"', 1_764_000_000_123),
        ('"2025-11-24T16:00:00.123456789Z"', 1_764_000_000_123),
        ('"2025-11-24T17:00:00+01:00"', 1_764_000_000_000),
    ],
)
def test_times_of_every_unit(given: str, milliseconds: int) -> None:
    assert one_of({"timestamp": "{at}"}, f'{{"at": {given}}}').event["timestamp"] == milliseconds


@pytest.mark.parametrize("given", ['"yesterday"', '"2025-11-24T16:00:00"', "-5", "true", "[]", '"²"', "1e30"])
def test_what_is_no_time_is_not_guessed(given: str) -> None:
    with pytest.raises(InvalidEvent) as refused:
        one_of({"timestamp": "{at}"}, f'{{"at": {given}}}')
    assert (refused.value.code, refused.value.field) == ("not_understood", "timestamp")


def test_the_first_recipient_that_is_named_is_told() -> None:
    to = {"user_id": "{user?}", "group": "{team?}", "topic": "deploys"}
    for body, who in (
        ('{"user": "ann", "team": "x"}', To(Whom.USER, "ann")),
        ('{"team": "x"}', To(Whom.GROUP, "x")),
        ("{}", To(Whom.TOPIC, "deploys")),
    ):
        assert one_of({"to": to}, body).to == who


def test_without_an_id_the_content_is_the_id_and_its_time_that_of_its_arrival() -> None:
    first, again, other = (one_of({}, body) for body in ('{"a": 1}', ' {"a":1}', '{"a": 2}'))
    assert first.event_id == again.event_id != other.event_id
    assert first.same == again.same != ""


# The examples of https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
EVENT = {
    "specversion": "1.0",
    "type": "com.example.Order-Filled",
    "source": "/mycontext/4",
    "id": "A234-1234-1234",
    "time": "2018-04-05T17:31:00Z",
    "subject": "123",
    "datacontenttype": "application/json",
    "tocsinuser": "ann",
    "data": {"appinfoA": "abc", "appinfoB": 123, "appinfoC": True},
}
MADE = {
    "type_name": "com.example.order_filled",
    "timestamp": 1_522_949_460_000,
    "payload": {"appinfoA": "abc", "appinfoB": 123, "appinfoC": True},
    "metadata": {"ce_source": "/mycontext/4", "ce_type": "com.example.Order-Filled", "ce_subject": "123"},
}


def test_cloudevents_structured_binary_and_batched_are_the_same_event() -> None:
    structured = "application/cloudevents+json; charset=utf-8"
    [draft] = read(CLOUDEVENTS, json.dumps(EVENT).encode(), media_type=structured)
    assert (draft.to, draft.event_id) == (To(Whom.USER, "ann"), "/mycontext/4:A234-1234-1234")
    assert draft.event == MADE
    attributes = {
        f"ce_{name}": value for name, value in EVENT.items() if name not in {"data", "datacontenttype"}
    }
    [binary] = read(CLOUDEVENTS, json.dumps(EVENT["data"]).encode(), **attributes)
    assert (binary.event, binary.event_id) == (MADE, draft.event_id)
    body = json.dumps([EVENT, EVENT | {"id": "2"}]).encode()
    batch = read(CLOUDEVENTS, body, media_type="application/cloudevents-batch+json")
    assert [one.event for one in batch] == [MADE, MADE]
    assert [json.loads(one.raw)["id"] for one in batch] == ["A234-1234-1234", "2"]


def test_data_of_other_kinds_is_kept_as_it_is() -> None:
    attributes = {"ce_specversion": "1.0", "ce_id": "1", "ce_source": "s", "ce_type": "ORDER_FILLED"}
    attributes["ce_tocsinuser"] = "Euro%20%E2%82%AC"
    [text] = read(CLOUDEVENTS, "hé".encode(), media_type="text/plain", **attributes)
    assert (text.event["event_type"], text.event["payload"]) == ("ORDER_FILLED", {"data": "hé"})
    assert text.to.name == "Euro €"
    [raw] = read(CLOUDEVENTS, b"\xff", media_type="image/png", **attributes)
    assert raw.event["payload"] == {"data_base64": "/w=="}


def test_options_say_for_whom_and_in_which_words() -> None:
    options = {
        "to": {"user_id": "{subject}"},
        "content": {"title": "{data.appinfoA}"},
        "priority": "CRITICAL",
    }
    [draft] = read(CLOUDEVENTS, json.dumps(EVENT).encode(), options, "application/cloudevents+json")
    assert (draft.to.name, draft.event["content"]) == ("123", {"title": "abc"})
    assert draft.event["delivery"] == {"priority": "CRITICAL"}


@pytest.mark.parametrize(
    ("body", "media_type", "code"),
    [
        ("{}", "application/json", "unsupported_media_type"),
        ("{}", "application/cloudevents+json", "not_understood"),
        ("[1]", "application/cloudevents-batch+json", "not_understood"),
        ("{", "application/cloudevents+json", "invalid_json"),
        (json.dumps(EVENT | {"specversion": "0.3"}), "application/cloudevents+json", "not_understood"),
        (json.dumps(EVENT | {"tocsinuser": None}), "application/cloudevents+json", "not_understood"),
        (json.dumps(EVENT | {"id": 7}), "application/cloudevents+json", "not_understood"),
    ],
)
def test_what_is_no_cloudevent_is_not_guessed(body: str, media_type: str, code: str) -> None:
    with pytest.raises(InvalidEvent) as refused:
        read(CLOUDEVENTS, body.encode(), media_type=media_type)
    assert refused.value.code == code
