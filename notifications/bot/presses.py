"""Pressed buttons. Each press is answered, whatever it says."""

import uuid
from collections.abc import Callable

from notifications import acks, store
from notifications.bot import linking, preferences
from notifications.bot.conversation import Conversation
from notifications.events import EventName
from notifications.models import Delivery
from notifications.rendering.locales import gettext
from notifications.states import Channel
from notifications.transports.telegram.answers import Toast
from notifications.transports.telegram.buttons import ACKNOWLEDGE
from notifications.transports.telegram.updates import Pressed


def on_pressed(talk: Conversation, press: Pressed) -> None:
    """Do what the button says. Only a chat with the bot alone says who presses."""
    kind, _, rest = press.data.partition(":")
    handle = _HANDLERS.get(kind) if talk.inbound.is_private else None
    text = handle(talk, press, rest) if handle else _outdated()
    talk.answers.insert(0, Toast(press.query_id, text))


def _acknowledge(talk: Conversation, press: Pressed, delivery_id: str) -> str:
    """Record the person's own word on the event of this message: HUMAN evidence."""
    row = _delivery(delivery_id)
    if row is None or row.destination is None or row.destination.address != talk.chat_id:
        return _outdated()
    event = row.event
    if not event.person.is_active:
        return _outdated()
    if event.acknowledged_at is not None:  # elsewhere, and this message does not show it yet
        talk.effects.edits += store.edits.want_again(row.pk, now=talk.now)
        return gettext("You have acknowledged this already.")
    name = EventName(event.source.name, event.event_id)
    pressed = store.Pressed(row.pk, Channel(row.channel))
    talk.effects.add(acks.acknowledge(event.person_id, name, now=talk.now, pressed=pressed))
    return gettext("Acknowledged.")


def _delivery(delivery_id: str) -> Delivery | None:
    try:
        pk = uuid.UUID(delivery_id)
    except ValueError:
        return None
    rows = Delivery.objects.select_related("event__source", "event__person", "destination")
    return rows.defer("event__payload", "event__raw").filter(pk=pk, channel=Channel.TELEGRAM).first()


def _outdated() -> str:
    return gettext("This button does nothing any more.")


_HANDLERS: dict[str, Callable[[Conversation, Pressed, str], str]] = {
    ACKNOWLEDGE: _acknowledge,
    linking.BUTTON: linking.on_pressed,
    preferences.BUTTON: preferences.on_pressed,
}
