"""A code and a link that verify an address: sent at once, to an address that is not verified yet."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from django.conf import settings

from notifications.delivery import test_message
from notifications.rendering.locales import gettext, speaking
from notifications.states import Channel
from notifications.transports import registry
from notifications.transports.base import Message, OutcomeUnknown
from notifications.transports.spec import VerifiedBy
from users import verification
from users.models import User
from users.people import destinations
from users.people.values import Rejected, Remark
from users.verification import VALID_FOR, Started

PATH = "verify/"  # of the page behind the link


@dataclass(frozen=True, slots=True)
class Prepared:
    """A code that is stored, and still has to be sent."""

    channel: Channel
    address: str
    locale: str
    started: Started


def prepare(person: User, pk: int, *, now: datetime) -> Prepared:
    """Make a code for the person's destination. Raises: `Rejected`, `TooMany`."""
    destination = destinations.find(person, pk)
    channel = Channel(destination.kind)
    _check_takes_codes(channel)
    started = verification.start(person, pk, now=now)
    return Prepared(channel, destination.plain_address, person.locale, started)


def _check_takes_codes(channel: Channel) -> None:
    spec = registry.spec(channel)
    if spec.verified_by is VerifiedBy.CODE:
        return
    if spec.verified_by is VerifiedBy.CHAT:
        detail = f"The person links the chat: POST /users/{{id}}/destinations/{spec.name}/link."
    else:
        detail = "No code can be sent there: a source vouches for the address, or an operator verifies it."
    raise Rejected(Remark("cannot_verify", detail))


async def send(prepared: Prepared) -> None:
    """Send it once, within the provider's limits. Raises: `TransportError` if it cannot have arrived.

    Where the provider's answer is lost, the message may have arrived, and its code is good.
    """
    channel, address = prepared.channel, prepared.address
    wait_s = await asyncio.to_thread(test_message.wait_for_slot_s, channel, address)
    try:
        await test_message.send(
            channel, address, message_in(prepared.locale, prepared.started), wait_s=wait_s
        )
    except OutcomeUnknown:
        return


def message_in(locale: str, started: Started) -> Message:
    """Return the message in a person's locale. It has a link if `TOCSIN_PUBLIC_URL` is set."""
    with speaking(locale):
        text = "\n\n".join(_paragraphs(started))
        return Message(key=f"verify-{uuid4()}", title=gettext("Confirm this address"), text=text)


def _paragraphs(started: Started) -> list[str]:
    said = gettext("Your code is %(code)s. Enter it where you were asked for it, within %(minutes)d minutes.")
    values = {"code": started.code, "minutes": VALID_FOR // timedelta(minutes=1)}
    base = settings.TOCSIN_PUBLIC_URL
    link = [gettext("Or open this page and confirm there:"), f"{base}/{PATH}{started.token}"] if base else []
    unasked = gettext("If you did not ask for this, do nothing: no messages will come to this address.")
    return [said % values, *link, unasked]
