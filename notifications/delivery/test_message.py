"""A test message to one destination: sent at once, by the request that asks for it.

It is no delivery: nothing is recorded, retried or disabled. It keeps the provider's rate limits, and has one
of its own for each address. Codes that verify an address are sent in the same way.
"""

import asyncio
from dataclasses import dataclass
from uuid import uuid4

from notifications.delivery import rate_limits, sending_loop
from notifications.delivery.rate_limits import Ask
from notifications.rendering.locales import gettext, speaking
from notifications.settings import pipeline_settings
from notifications.states import Channel
from notifications.transports import registry
from notifications.transports.base import LimitedError, Message, Receipt
from notifications.transports.spec import Limit, digest
from users.models import User
from users.people import destinations
from users.people.values import Rejected, Remark

RETRY_AFTER_S = 60
_AT_ONCE = 3
_LONGEST_WAIT_S = 3.0  # for a slot within the provider's limits
_NOW_S = 0.001  # a horizon: only a slot that is free now is taken


class TooManyTests(Exception):
    """The address has had enough tests for now; again after `RETRY_AFTER_S`."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A test that is allowed, and still has to be sent."""

    channel: Channel
    address: str
    message: Message
    wait_s: float


def prepare(person: User, pk: int) -> Prepared:
    """Return the test of a person's destination, and count it. Raises: `Rejected`, `TooManyTests`."""
    one = destinations.find(person, pk)
    if one.verified_at is None:
        detail = "Verify the address first: nothing is sent to one that is not verified."
        raise Rejected(Remark("unverified", detail))
    if not person.is_active:
        raise Rejected(Remark("inactive_user", "The person is disabled, and receives nothing."))
    if not one.plain_address:
        raise Rejected(Remark("unreadable", "No key decrypts this address; set it again."))
    channel, address = Channel(one.kind), one.plain_address
    wait_s = reserve(channel, address)
    if wait_s is None:
        raise TooManyTests
    return Prepared(channel, address, message_in(person.locale), wait_s)


def message_in(locale: str) -> Message:
    """Return the test message in a person's locale."""
    with speaking(locale):
        text = gettext("This is a test. Your notifications arrive here.")
        return Message(key=f"test-{uuid4()}", title=gettext("Test message"), text=text)


def reserve(channel: Channel, address: str) -> float | None:
    """Return how many seconds to wait before the send, or None: this address had its tests for now.

    Three at once, then one a minute. Nothing is limited while Redis is away.
    """
    own = Limit(f"test.{channel.name}.{digest(address)}", 1, RETRY_AFTER_S, burst=_AT_ONCE)
    [limited_s] = rate_limits.reserve([Ask((own,), _NOW_S)])
    if limited_s > 0:
        return None
    return wait_for_slot_s(channel, address)


def wait_for_slot_s(channel: Channel, address: str) -> float:
    """Reserve a send within the provider's limits, and return how many seconds to wait before it."""
    limits = rate_limits.limits_of(channel, address)
    return rate_limits.reserve([Ask(limits, _LONGEST_WAIT_S)])[0] if limits else 0.0


async def send(channel: Channel, address: str, message: Message, *, wait_s: float) -> Receipt:
    """Send the message once, after the wait. Raises: `TransportError`."""
    if wait_s >= _LONGEST_WAIT_S:
        raise LimitedError("too many messages are being sent on this channel now", wait_s)
    await asyncio.sleep(wait_s)
    timeout_s = min(registry.spec(channel).timeout_s, pipeline_settings().send_timeout_s)
    sending = registry.transport(channel).send(message, address, timeout_s=timeout_s)
    return await asyncio.wrap_future(sending_loop.submit(sending))
