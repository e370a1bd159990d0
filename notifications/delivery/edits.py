"""Editing messages in chats: they show what the person did elsewhere, or with the message's own button.

A message shows the state of its event at the time of the edit, so repeating an edit changes nothing.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.utils.html import escape

from notifications.delivery import rate_limits, retries, sending_loop
from notifications.delivery.prepare import asking
from notifications.delivery.rate_limits import Ask
from notifications.delivery.record import Clock
from notifications.live.frames import stored_content, to_ms
from notifications.models import Delivery
from notifications.rendering import published
from notifications.rendering.conventions.dates import local_time
from notifications.rendering.lengths import cut_html, cut_text, units
from notifications.rendering.locales import gettext, speaking
from notifications.rendering.render import render, zone_of
from notifications.states import Channel, DeliveryState, Priority
from notifications.store import edits
from notifications.store.edits import Edit
from notifications.transports import registry
from notifications.transports.base import (
    EditingTransport,
    LimitedError,
    Message,
    PermanentError,
    TransportError,
)

log = logging.getLogger(__name__)

AT_ONCE = 20  # edits of one doorbell: each may take its channel's timeout, and they run together
_LEASE_S = 60.0
_IN_FLIGHT_S = 2.0  # until the result of a send is known
_RETRY_S = (5.0, 15.0, 60.0, 300.0, 900.0)
_MAX_ATTEMPTS = 12
_RETRY_AFTER_MAX_S = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class _Prepared:
    edit: Edit
    row: Delivery
    message: Message

    @property
    def channel(self) -> Channel:
        return Channel(self.row.channel)

    @property
    def address(self) -> str:
        assert self.row.destination is not None
        return self.row.destination.address


def edit_messages(delivery_ids: Sequence[str], *, clock: Clock) -> None:
    """Edit the messages of these deliveries that are due, each with one try.

    Guarantee: an edit is repeated until the provider took it, refused it for good, or many tries failed.
    """
    claimed = edits.claim(delivery_ids[:AT_ONCE], now=clock(), lease_s=_LEASE_S)
    if not claimed:
        return
    published.refresh()
    rows = edits.deliveries(claimed)
    prepared = [one for edit in claimed if (one := _prepared(edit, rows.get(edit.delivery_id), clock()))]
    admitted = _within_limits(prepared, clock())
    results = sending_loop.submit(_edit_all(admitted)).result()
    for item, error in zip(admitted, results, strict=True):
        _record(item, error, clock())


def _prepared(edit: Edit, row: Delivery | None, now: datetime) -> _Prepared | None:
    """Return what is to be shown; None if there is nothing to edit, or not yet."""
    if row is not None and row.state == DeliveryState.SENDING:
        edits.postpone(edit, until=now + timedelta(seconds=_IN_FLIGHT_S), counted=False)
        return None
    if row is None or not row.provider_message_id or row.destination is None:
        edits.done(edit, now=now)
        return None
    try:
        return _Prepared(edit, row, _message(row))
    except Exception:  # it would fail again: the message stays as it is
        log.exception("edit_not_rendered", extra={"delivery_id": edit.delivery_id})
        edits.done(edit, now=now)
        return None


def _message(row: Delivery) -> Message:
    """Return the delivery's message with what the person did since."""
    event, person = row.event, row.event.person
    content = stored_content(event, person.time_zone, person.locale)
    channel = Channel(row.channel)
    message = render(content, channel, key=str(row.pk), possible_duplicate=row.possible_duplicate)
    with speaking(person.locale):
        if event.acknowledged_at is not None:
            at = local_time(to_ms(event.acknowledged_at), zone_of(person.time_zone))
            here = row.state == DeliveryState.CONFIRMED
            text = gettext("Acknowledged by you at %s") if here else gettext("Acknowledged elsewhere at %s")
            return _with_line(message, f"✅ {text % at}", channel)
        message = asking(message, Priority(event.priority), person.locale)
        if event.read_at is not None:
            at = local_time(to_ms(event.read_at), zone_of(person.time_zone))
            return _with_line(message, gettext("Read elsewhere at %s") % at, channel)
    return message


def _with_line(message: Message, line: str, channel: Channel) -> Message:
    """Add a last line, for which the rest makes room."""
    text, html = f"\n\n{line}", f"\n\n<i>{escape(line)}</i>"
    room = registry.spec(channel).fit.max_units or units(message.text + message.html + text + html)
    return replace(
        message,
        text=cut_text(message.text, room - units(text)) + text,
        html=cut_html(message.html, room - units(html)) + html if message.html else "",
    )


def _within_limits(prepared: list[_Prepared], now: datetime) -> list[_Prepared]:
    """Return the edits that the provider's limits allow now; the others wait for their turn."""
    asks = [Ask(rate_limits.limits_of(item.channel, item.address), horizon_s=0) for item in prepared]
    admitted = []
    for item, wait_s in zip(prepared, rate_limits.reserve(asks) if asks else (), strict=True):
        if wait_s:
            edits.postpone(item.edit, until=now + timedelta(seconds=wait_s), counted=False)
        else:
            admitted.append(item)
    return admitted


async def _edit_all(items: Sequence[_Prepared]) -> list[Exception | None]:
    return list(await asyncio.gather(*map(_edit, items)))


async def _edit(item: _Prepared) -> Exception | None:
    transport = registry.transport(item.channel)
    assert isinstance(transport, EditingTransport)
    timeout_s = retries.timeout_s(item.channel)
    try:
        await transport.edit(item.message, item.address, item.row.provider_message_id, timeout_s=timeout_s)
    except Exception as error:
        return error
    return None


def _record(item: _Prepared, error: Exception | None, now: datetime) -> None:
    extra = {"delivery_id": item.edit.delivery_id, "channel": item.channel.name}
    if error is None:
        log.info("message_edited", extra=extra)
        edits.done(item.edit, now=now)
        return
    reason = error.reason.replace(item.address, "<address>") if isinstance(error, TransportError) else ""
    extra |= {"error": type(error).__name__, "reason": reason[:300]}
    # Deleted by the person, too old, or the chat is gone: no other try would find it.
    if isinstance(error, PermanentError) or item.edit.attempt >= _MAX_ATTEMPTS:
        log.info("message_not_edited", extra=extra)
        edits.done(item.edit, now=now)
        return
    log.warning("edit_failed", extra=extra)
    wait_s = _RETRY_S[min(item.edit.attempt, len(_RETRY_S)) - 1]
    if isinstance(error, LimitedError):
        wait_s = min(error.retry_after_s, _RETRY_AFTER_MAX_S)
        rate_limits.hold(rate_limits.limits_of(item.channel, item.address), wait_s=wait_s)
    edits.postpone(item.edit, until=now + timedelta(seconds=wait_s), counted=True)
