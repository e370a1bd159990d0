"""What proto3 makes of what is missing or unknown: the traps that a reader of these messages steps over."""

import pytest
from google.protobuf import descriptor_pool, json_format, message_factory
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.message import DecodeError, Message

from proto.tocsin.v1 import user_events_pb2 as wire

MESSAGES = sorted(wire.DESCRIPTOR.message_types_by_name)

# user_id "u-1", event_id "e-1", timestamp 1734533790000, POSITION_LIQUIDATED, payload {}, CRITICAL, and
# TELEGRAM if active.
FIRST_EVENT = bytes.fromhex("0a03752d31 1203652d31 18b0f294d2bd32 2017 2a027b7d 3208 0802 1204 0802 1001")
# event_id "e-1", ACK_ERROR, "no", EMAIL.
FIRST_ACK = bytes.fromhex("0a03652d31 1002 1a026e6f 2003")


class TestZero:
    @pytest.mark.parametrize("name", MESSAGES)
    def test_no_bytes_at_all_are_a_valid_message(self, name: str) -> None:
        assert getattr(wire, name).FromString(b"") == getattr(wire, name)()

    def test_an_empty_ack_reads_as_delivered(self) -> None:
        ack = wire.EventAck.FromString(b"")
        assert ack.status == wire.DELIVERED
        assert ack.delivered_via == wire.ACTIVE_SESSION

    def test_an_empty_ack_claims_no_evidence_and_is_not_final(self) -> None:
        ack = wire.EventAck.FromString(b"")
        assert (ack.evidence, ack.final, ack.at) == (wire.EVIDENCE_UNSPECIFIED, False, 0)

    def test_saying_delivered_leaves_no_trace_in_the_bytes(self) -> None:
        said = wire.EventAck(event_id="e-1", status=wire.DELIVERED)
        assert said.SerializeToString() == wire.EventAck(event_id="e-1").SerializeToString()

    def test_a_failed_ack_still_reads_as_via_the_active_session(self) -> None:
        assert wire.EventAck(event_id="e-1", status=wire.ACK_ERROR).delivered_via == wire.ACTIVE_SESSION

    def test_an_empty_event_reads_as_an_informational_order_placed(self) -> None:
        event = wire.UserEvent.FromString(b"")
        assert event.event_type == wire.ORDER_PLACED
        assert event.delivery.priority == wire.INFORMATIONAL

    def test_presence_shows_in_strings_and_in_delivery_only(self) -> None:
        event = wire.UserEvent.FromString(b"")
        assert (event.event_id, event.user_id, event.topic, event.timestamp) == ("", "", "", 0)
        assert not event.HasField("delivery")
        with pytest.raises(ValueError, match="presence"):
            event.HasField("event_type")

    def test_an_empty_delivery_is_present_and_informational(self) -> None:
        event = wire.UserEvent.FromString(wire.UserEvent(delivery=wire.DeliverySpec()).SerializeToString())
        assert event.HasField("delivery")
        assert event.delivery.priority == wire.INFORMATIONAL

    def test_an_empty_preference_asks_for_the_active_session(self) -> None:
        preference = wire.ChannelPreference.FromString(b"")
        assert (preference.channel, preference.only_if_active) == (wire.ACTIVE_SESSION, False)

    def test_a_timeout_of_zero_cannot_be_told_from_none(self) -> None:
        assert wire.UserEvent(ack_timeout_ms=0) == wire.UserEvent()


class TestUnknown:
    @pytest.mark.parametrize("number", [54, 99, 777, 1001, 2**31 - 1, -1])
    def test_unknown_event_types_survive_a_round_trip(self, number: int) -> None:
        sent = wire.UserEvent(event_id="e-1", event_type=number)  # type: ignore[arg-type]
        assert wire.UserEvent.FromString(sent.SerializeToString()).event_type == number

    def test_unknown_priorities_and_channels_survive_a_round_trip(self) -> None:
        sent = wire.DeliverySpec(priority=9, channels=[wire.ChannelPreference(channel=42)])  # type: ignore[arg-type]
        got = wire.DeliverySpec.FromString(sent.SerializeToString())
        assert (got.priority, got.channels[0].channel) == (9, 42)

    def test_unknown_values_survive_in_an_ack(self) -> None:
        sent = wire.EventAck(status=7, evidence=8, outcomes=[wire.ChannelOutcome(channel=9)])  # type: ignore[arg-type]
        got = wire.EventAck.FromString(sent.SerializeToString())
        assert (got.status, got.evidence, got.outcomes[0].channel) == (7, 8, 9)

    def test_an_unknown_number_has_no_name(self) -> None:
        with pytest.raises(ValueError, match="no name defined for value 777"):
            wire.EventType.Name(777)

    def test_unknown_numbers_are_numbers_in_json(self) -> None:
        event = wire.UserEvent(event_type=777)  # type: ignore[arg-type]
        assert json_format.MessageToDict(event) == {"eventType": 777}

    def test_fields_of_a_later_schema_survive_a_round_trip(self) -> None:
        later = FIRST_EVENT + bytes.fromhex("a206036e6577")  # field 100, "new"
        assert wire.UserEvent.FromString(later).SerializeToString() == later


class TestMalformed:
    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(FIRST_EVENT[:-1], id="cut short"),
            pytest.param(bytes.fromhex("0a02ff ff"), id="not UTF-8"),
            pytest.param(bytes.fromhex("0aff ffff ff0f"), id="longer than the message"),
            pytest.param(bytes.fromhex("00 01"), id="field number 0"),
            pytest.param(b"\x20" + FIRST_EVENT, id="with the framing byte of ZeroMQ"),
            pytest.param(b'{"event_id": "e-1"}', id="JSON"),
        ],
    )
    def test_bytes_that_are_no_event_are_a_decode_error(self, data: bytes) -> None:
        with pytest.raises(DecodeError):
            wire.UserEvent.FromString(data)

    def test_an_ack_often_parses_as_an_event(self) -> None:
        """Protobuf does not say what a message is: the framing byte, the stream or the URL has to."""
        event = wire.UserEvent.FromString(wire.EventAck(event_id="e-1").SerializeToString())
        assert (event.user_id, event.event_id) == ("e-1", "")


@pytest.fixture(scope="module")
def first(baseline: FileDescriptorProto) -> dict[str, type[Message]]:
    """Message classes of the baseline, in a pool of their own."""
    pool = descriptor_pool.DescriptorPool()
    pool.Add(baseline)
    classes = message_factory.GetMessageClassesForFiles([baseline.name], pool)
    return {name.removeprefix("tocsin.v1."): cls for name, cls in classes.items()}


class TestFirstProducers:
    """Bytes of the first schema mean the same today, and today's bytes are readable with the first schema."""

    def test_an_event_of_the_first_schema_reads_the_same(self) -> None:
        assert wire.UserEvent.FromString(FIRST_EVENT) == wire.UserEvent(
            user_id="u-1",
            event_id="e-1",
            timestamp=1734533790000,
            event_type=wire.POSITION_LIQUIDATED,
            payload=b"{}",
            delivery=wire.DeliverySpec(
                priority=wire.CRITICAL,
                channels=[wire.ChannelPreference(channel=wire.TELEGRAM, only_if_active=True)],
            ),
        )

    def test_an_ack_of_the_first_schema_reads_the_same(self) -> None:
        assert wire.EventAck.FromString(FIRST_ACK) == wire.EventAck(
            event_id="e-1", status=wire.ACK_ERROR, error_message="no", delivered_via=wire.EMAIL
        )

    def test_an_ack_of_today_is_readable_with_the_first_schema(self, first: dict[str, type[Message]]) -> None:
        today = wire.EventAck(
            event_id="e-1",
            status=wire.DELIVERED,
            delivered_via=wire.WEBHOOK,
            evidence=wire.EVIDENCE_HUMAN,
            final=True,
            duplicate=True,
            seq=7,
            at=1734533790000,
            outcomes=[wire.ChannelOutcome(channel=wire.WEB, state="failed", reason="unconfirmed")],
            code="none",
        )
        old = first["EventAck"].FromString(today.SerializeToString())
        assert (old.event_id, old.status, old.delivered_via) == ("e-1", 0, 7)  # type: ignore[attr-defined]
        assert wire.EventAck.FromString(old.SerializeToString()) == today
