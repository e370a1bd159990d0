"""Whatever arrives, the codec either understands it or refuses it with `InvalidEvent`."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.codec import events
from gateway.codec.limits import InvalidEvent
from notifications.events import Envelope
from proto.tocsin.v1 import user_events_pb2 as wire
from tests.gateway.codec.test_events import FULL
from tests.gateway.good_events import GRANT, event_json, event_message

FIELDS = [field.name for field in wire.UserEvent.DESCRIPTOR.fields]

text = st.text(st.characters(codec=None, exclude_categories=()), max_size=30)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=12,
)


def outcome(decode, given_value) -> str:
    try:
        envelope = decode(given_value, GRANT)
    except InvalidEvent as refused:
        assert refused.code
        assert refused.detail
        return "refused"
    assert isinstance(envelope, Envelope)
    assert envelope.event_id
    assert len(envelope.digest) == 32
    return "taken"


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes(data: bytes) -> None:
    outcome(events.from_protobuf, data)


@settings(max_examples=200, deadline=None)
@given(values)
def test_any_json(value: object) -> None:
    outcome(events.from_json, value)


@settings(max_examples=500, deadline=None)
@given(st.sampled_from([*FIELDS, "other"]), values)
def test_any_json_in_any_field_of_a_good_event(name: str, value: object) -> None:
    outcome(events.from_json, event_json(**{name: value}))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200) | values.map(repr).map(lambda shown: shown.encode(errors="replace")))
def test_any_payload_in_protobuf(payload: bytes) -> None:
    outcome(events.from_message, event_message(payload=payload))


def test_two_thousand_broken_events() -> None:
    chance = random.Random(20261121)
    whole = event_message(**FULL).SerializeToString()
    met = set()
    for _ in range(2_000):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            place = chance.randrange(len(data))
            kind = chance.randrange(3)
            if kind == 0:
                data[place] = chance.randrange(256)
            elif kind == 1:
                del data[place : place + chance.randint(1, 8)]
            else:
                data[place:place] = chance.randbytes(chance.randint(1, 8))
        met.add(outcome(events.from_protobuf, bytes(data)))
    assert met == {"refused", "taken"}
