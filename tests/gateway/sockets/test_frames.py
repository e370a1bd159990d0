"""Frames that are not understood: an error each, and a socket that stays usable."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

REFUSED = {
    "not JSON": ("hello", "invalid_json"),
    "nothing": ("", "invalid_json"),
    "half an object": ('{"type": "ping"', "invalid_json"),
    "nesting without end": ("[" * 50_000, "invalid_json"),
    "a number of 5,000 digits": ("9" * 5_000, "invalid_json"),
    "bytes": (b'{"type": "ping"}', "not_text"),
    "a list": ('["ping"]', "missing_type"),
    "null": ("null", "missing_type"),
    "no type": ("{}", "missing_type"),
    "a type that is a number": ('{"type": 1}', "missing_type"),
    "a type that is a list": ('{"type": ["ping"]}', "missing_type"),
    "an unknown type": ('{"type": "shout"}', "unknown_type"),
    "a method's name": ('{"type": "websocket.disconnect"}', "unknown_type"),
    "another method's name": ('{"type": "_on_ping"}', "unknown_type"),
    "a second auth with a bad token": ('{"type": "auth", "token": "x"}', "invalid_token"),
    "a second auth with nothing": ('{"type": "auth"}', "auth_required"),
    "no ids": ('{"type": "ack"}', "invalid_event_ids"),
    "an empty list": ('{"type": "ack", "event_ids": []}', "invalid_event_ids"),
    "one id without a list": ('{"type": "ack", "event_ids": "e-1"}', "invalid_event_ids"),
    "an object": ('{"type": "ack", "event_ids": {"e-1": 1}}', "invalid_event_ids"),
    "ids that are numbers": ('{"type": "ack", "event_ids": [1]}', "invalid_event_ids"),
    "ids that are lists": ('{"type": "read", "event_ids": [["e-1"]]}', "invalid_event_ids"),
    "one null among them": ('{"type": "seen", "event_ids": ["e-1", null]}', "invalid_event_ids"),
    "an empty id": ('{"type": "archive", "event_ids": [""]}', "invalid_event_ids"),
    "a NUL": ('{"type": "ack", "event_ids": ["a\\u0000b"]}', "invalid_event_ids"),
    "a lone surrogate": ('{"type": "read", "event_ids": ["\\ud800"]}', "invalid_event_ids"),
    "a long id": (json.dumps({"type": "ack", "event_ids": ["e" * 201]}), "invalid_event_ids"),
    "too many ids": (json.dumps({"type": "ack", "event_ids": ["e"] * 501}), "invalid_event_ids"),
}


@pytest.fixture
def page(open_page, ann):
    return open_page(ann)


def test_a_frame_that_is_refused_gets_an_error_and_the_socket_goes_on(page) -> None:
    for name, (frame, code) in REFUSED.items():
        page.socket.send(frame)
        error = page.receive()
        assert (error["type"], error["code"]) == ("error", code), name
        assert error["detail"], name
        page.barrier()


def test_a_frame_above_64_kib_ends_the_socket(page) -> None:
    page.socket.send(json.dumps({"type": "ack", "event_ids": ["x" * 70 * 1024]}))
    assert page.closed_with() == 1009


def test_a_ping_is_answered_with_a_pong(page) -> None:
    page.send(type="ping", sent=1, anything="else")
    assert page.receive() == {"type": "pong"}


def test_five_hundred_unknown_ids_change_nothing_and_are_no_error(page) -> None:
    for kind in ("ack", "seen", "read", "archive"):
        page.send(type=kind, event_ids=[f"e-{number}" for number in range(500)])
    page.barrier()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)
frames = st.one_of(
    st.text(st.characters(exclude_categories=("Cs",)), max_size=50),
    st.binary(max_size=50),
    json_values.map(json.dumps),
    st.fixed_dictionaries(
        {"type": st.sampled_from(["ack", "seen", "read", "archive", "auth"])},
        optional={"event_ids": json_values, "token": json_values},
    ).map(json.dumps),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(frames)
def test_no_frame_ends_the_socket(page, frame: str | bytes) -> None:
    page.socket.send(frame)
    page.send(type="ping")
    while (answer := page.receive())["type"] != "pong":
        assert answer["type"] == "error"
