"""The contract of every transport, tested against providers with every fault that they can simulate.

A new transport needs an entry in `CONTRACTS`; all tests below then include it.
"""

import asyncio
import pickle
import traceback
from dataclasses import dataclass, replace

import pytest

from notifications.states import Channel
from notifications.transports.base import (
    ConfigurationError,
    LimitedError,
    Message,
    MessageError,
    OutcomeUnknown,
    RecipientError,
    TemporaryError,
    Transport,
    TransportError,
)
from notifications.transports.registry import channels

TRANSPORTS = {spec.channel: spec.transport for spec in channels().values() if spec.transport}
SECRET = "marker-4711-of-the-payload"
MESSAGE = Message("key-1", "Order filled", f"Order filled\n{SECRET}", f"<b>Order filled</b>\n{SECRET}")
TIMEOUT_S = 0.5


@dataclass(frozen=True)
class Case:
    """The provider's fault, the transport's error, and how many messages have arrived."""

    rule: dict[str, object]
    error: type[TransportError]
    arrived: int = 0


@dataclass(frozen=True)
class Contract:
    provider: str  # as the simulator names it
    address: str
    bad_address: str
    closed_port: dict[str, object]  # settings with a port on which nothing listens
    cases: dict[str, Case]


CONTRACTS = {
    Channel.TELEGRAM: Contract(
        provider="telegram",
        address="987654321",
        bad_address="not a chat",
        closed_port={"TELEGRAM_API_URL": "http://127.0.0.1:1/bot"},
        cases={
            "chat_not_found": Case({"error": "chat_not_found"}, RecipientError),
            "blocked": Case({"error": "blocked"}, RecipientError),
            "deactivated": Case({"error": "deactivated"}, RecipientError),
            "too_many": Case({"retry_after_s": 3}, LimitedError),
            "bad_gateway": Case({"status": 502}, TemporaryError),
            "internal_error": Case({"status": 500}, TemporaryError),
            "unavailable": Case({"status": 503}, TemporaryError),
            "unauthorized": Case({"error": "unauthorized"}, ConfigurationError),
            "not_found": Case({"status": 404}, ConfigurationError),
            "too_long": Case({"error": "too_long"}, MessageError),
            "cant_parse_even_plain": Case({"error": "cant_parse"}, MessageError),
            "hangs": Case({"hang": True}, OutcomeUnknown),
            "slow": Case({"latency_ms": 2000}, OutcomeUnknown, arrived=1),
            "drops_the_answer": Case({"drop_answer": True}, OutcomeUnknown, arrived=1),
            "resets": Case({"refuse": True}, OutcomeUnknown),
        },
    ),
    Channel.EMAIL: Contract(
        provider="smtp",
        address="mallory@example.org",
        bad_address="one@example.org, two@example.org",
        closed_port={"EMAIL_PORT": 1},
        cases={
            "mailbox_unknown": Case({"error": "mailbox_unknown"}, RecipientError),
            "mailbox_full": Case({"error": "mailbox_full"}, TemporaryError),
            "greylisted": Case({"error": "greylisted"}, TemporaryError),
            "policy": Case({"error": "policy"}, ConfigurationError),
            "auth_required": Case({"error": "auth_required"}, ConfigurationError),
            "too_big": Case({"error": "too_big"}, MessageError),
            "shutting_down": Case({"status": 421, "at": "mail"}, TemporaryError),
            "temporary_at_data": Case({"status": 451}, TemporaryError),
            "permanent_at_data": Case({"status": 554}, MessageError),
            "hangs_at_connect": Case({"hang": True}, TemporaryError),
            "hangs_before_data": Case({"hang": True, "at": "rcpt"}, TemporaryError),
            "hangs_after_the_dot": Case({"hang": True, "at": "data"}, OutcomeUnknown),
            "slow_after_the_dot": Case({"latency_ms": 2000}, OutcomeUnknown, arrived=1),
            "drops_the_answer": Case({"drop_answer": True}, OutcomeUnknown, arrived=1),
            "refuses": Case({"refuse": True}, TemporaryError),
            "resets_at_mail": Case({"refuse": True, "at": "mail"}, TemporaryError),
        },
    ),
}

CASES = [
    pytest.param(channel, case, id=f"{channel.name}-{name}")
    for channel, contract in CONTRACTS.items()
    for name, case in contract.cases.items()
]
every_transport = pytest.mark.parametrize("channel", TRANSPORTS, ids=lambda channel: channel.name)


@pytest.fixture
def transport(channel: Channel, make_transport) -> Transport:
    return make_transport(TRANSPORTS[channel])


def test_every_transport_has_a_contract():
    assert set(CONTRACTS) == set(TRANSPORTS)


@every_transport
async def test_an_accepted_message_has_an_id_and_arrives_once(transport, channel, providers):
    contract = CONTRACTS[channel]
    receipt = await transport.send(MESSAGE, contract.address, timeout_s=5)
    arrived = providers.received(contract.provider)
    assert receipt.provider_message_id == str(arrived[0]["message_id"])
    assert receipt.moved_to == ""
    assert [entry["to"] for entry in arrived] == [contract.address]
    assert SECRET in arrived[0]["text"]


@pytest.mark.parametrize(("channel", "case"), CASES)
async def test_each_condition_has_its_error(transport, channel, case, providers):
    contract = CONTRACTS[channel]
    providers.misbehave(contract.provider, **case.rule)
    with pytest.raises(TransportError) as caught:
        await transport.send(MESSAGE, contract.address, timeout_s=TIMEOUT_S)
    assert type(caught.value) is case.error
    assert len(providers.received(contract.provider)) == case.arrived
    assert_survives_and_says_nothing(caught.value, contract.address)


@every_transport
async def test_after_an_error_the_next_message_arrives(transport, channel, providers):
    contract = CONTRACTS[channel]
    providers.misbehave(contract.provider, drop_answer=True, times=1)
    with pytest.raises(OutcomeUnknown):
        await transport.send(MESSAGE, contract.address, timeout_s=5)
    await transport.send(MESSAGE, contract.address, timeout_s=5)
    assert len(providers.received(contract.provider)) == 2


@every_transport
async def test_nobody_listening_is_temporary(channel, make_transport, settings):
    for name, value in CONTRACTS[channel].closed_port.items():
        setattr(settings, name, value)
    transport = make_transport(TRANSPORTS[channel])
    with pytest.raises(TransportError) as caught:
        await transport.send(MESSAGE, CONTRACTS[channel].address, timeout_s=5)
    assert type(caught.value) is TemporaryError
    assert_survives_and_says_nothing(caught.value, CONTRACTS[channel].address)


@every_transport
async def test_an_address_that_is_none_is_the_recipients_error(transport, channel, providers):
    with pytest.raises(RecipientError) as caught:
        await transport.send(MESSAGE, CONTRACTS[channel].bad_address, timeout_s=5)
    assert providers.received(CONTRACTS[channel].provider) == []
    assert_survives_and_says_nothing(caught.value, CONTRACTS[channel].bad_address)


@every_transport
async def test_a_text_that_cannot_be_encoded_is_refused(transport, channel, providers):
    broken = replace(MESSAGE, text=f"\ud800 {SECRET}", html="")
    with pytest.raises(MessageError) as caught:
        await transport.send(broken, CONTRACTS[channel].address, timeout_s=5)
    assert providers.received(CONTRACTS[channel].provider) == []
    assert_survives_and_says_nothing(caught.value, CONTRACTS[channel].address)


@every_transport
@pytest.mark.parametrize(
    "payload",
    ["<script>alert(1)</script>", "*_[`~>#+-=|{}.!", "BTC_USDT", "& &amp; <", ".\r\n.\r\nQUIT", "日本 🚀"],
)
async def test_hostile_text_is_literal(transport, channel, providers, payload):
    contract = CONTRACTS[channel]
    await transport.send(Message("key-2", payload, payload), contract.address, timeout_s=5)
    (arrived,) = providers.received(contract.provider)
    assert arrived["text"].replace("\r\n", "\n").strip() == payload.replace("\r\n", "\n")


@every_transport
async def test_a_title_adds_no_header_and_no_recipient(transport, channel, providers):
    contract = CONTRACTS[channel]
    title = "Filled\r\nBcc: spy@example.org\r\n\r\nbody"
    await transport.send(replace(MESSAGE, title=title), contract.address, timeout_s=5)
    (arrived,) = providers.received(contract.provider)
    assert arrived["to"] == contract.address
    assert "Bcc" not in arrived.get("headers", {})
    assert arrived.get("subject", "Filled Bcc: spy@example.org body") == "Filled Bcc: spy@example.org body"


@every_transport
async def test_fifty_at_once_arrive_once_each(transport, channel, providers):
    contract = CONTRACTS[channel]
    messages = [Message(f"key-{number}", "t", f"number {number}") for number in range(50)]
    receipts = await asyncio.gather(
        *(transport.send(message, contract.address, timeout_s=10) for message in messages)
    )
    assert len({receipt.provider_message_id for receipt in receipts}) == 50
    texts = sorted(entry["text"].strip() for entry in providers.received(contract.provider))
    assert texts == sorted(message.text for message in messages)


@every_transport
async def test_cancelled_callers_do_not_break_the_next_send(transport, channel, providers):
    contract = CONTRACTS[channel]
    providers.misbehave(contract.provider, latency_ms=400)
    sends = [asyncio.create_task(transport.send(MESSAGE, contract.address, timeout_s=3)) for _ in range(100)]
    await asyncio.sleep(0.1)
    for send in sends:
        send.cancel()
    assert {type(result) for result in await asyncio.gather(*sends, return_exceptions=True)} == {
        asyncio.CancelledError
    }
    providers.reset()
    began = asyncio.get_running_loop().time()
    await transport.send(replace(MESSAGE, text="after", html=""), contract.address, timeout_s=5)
    assert asyncio.get_running_loop().time() - began < 3
    assert "after" in [entry["text"].strip() for entry in providers.received(contract.provider)]


def assert_survives_and_says_nothing(error: TransportError, address: str) -> None:
    """An error crosses processes, and its whole text may be logged."""
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.reason, again.outcome) == (type(error), error.reason, error.outcome)
    assert getattr(again, "retry_after_s", None) == getattr(error, "retry_after_s", None)
    assert error.reason
    text = "".join(traceback.format_exception(error)) + error.reason + repr(error)
    for secret in (address, "very-secret-token", SECRET):
        assert secret not in text
