"""The one call of both ways in, the webhook and the poll: takes an update, and says what to answer.

Each update is taken once, in one transaction with all that it changes. Updates of one chat are taken one
after the other.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, connection, transaction

from notifications import dispatch
from notifications.bot import commands, membership, notices, presses
from notifications.bot.conversation import KIND, Conversation
from notifications.live import pubsub
from notifications.live.frames import changed_frames
from notifications.models import BotUpdate
from notifications.rendering.locales import gettext, speaking
from notifications.transports.telegram.answers import Answer, Say, Toast
from notifications.transports.telegram.bot_api import bot_id
from notifications.transports.telegram.updates import Inbound, Moved, Opened, Pressed, Shut, Written, parse
from runtime.postgres.away import DATABASE_AWAY
from users import inbound as chats
from users.acting import set_actor
from users.models import PersonChange

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answers:
    """What the bot has to answer in a chat, in order."""

    chat_id: str
    answers: tuple[Answer, ...] = ()


def take(raw: Mapping[str, Any], *, now: datetime) -> Answers:
    """Take one update, and return what to answer. A repeated one changes nothing, and has no answer.

    Raises: `NotAnUpdate`; database errors of an outage: the update is to be delivered again. An update that
    cannot be handled for another reason is logged and taken: repeating it would hold back all later ones.
    """
    inbound = parse(raw)
    try:
        talk = _taken(inbound, now)
    except DATABASE_AWAY:
        raise
    except Exception:
        log.exception("update_failed", extra={"update_id": inbound.update_id})
        talk = _given_up(inbound, now)
    # A second delivery comes if this fails: then the notices of the first are published again.
    dispatch.run_effects_later(talk.effects)
    pubsub.push(changed_frames("event.acknowledged", talk.effects.confirmed))
    notices.publish(talk.notices, now=now)
    return Answers(inbound.chat_id, tuple(talk.answers))


def _taken(inbound: Inbound, now: datetime) -> Conversation:
    talk = Conversation(inbound, now)
    with transaction.atomic():
        update = BotUpdate(bot_id=bot_id(), update_id=inbound.update_id, taken_at=now)
        if not _is_new(update):
            first = BotUpdate.objects.get(bot_id=update.bot_id, update_id=update.update_id)
            return Conversation(inbound, now, notices=notices.from_json(first.notices, inbound.update_id))
        _lock_chat(inbound.chat_id)
        set_actor(PersonChange.Surface.CHAT, talk.person.external_id if talk.person else "")
        with speaking(talk.locale):
            _handle(talk)
        if isinstance(inbound.what, Written | Pressed) and inbound.is_private:
            # Last, as the tables of events are locked before that of destinations.
            chats.note_inbound(KIND, inbound.chat_id, at=_written_at(inbound.what, now))
        if talk.notices:
            update.notices = [notice.to_json() for notice in talk.notices]
            update.save(update_fields=["notices"])
    return talk


def _is_new(update: BotUpdate) -> bool:
    try:
        with transaction.atomic():
            update.save(force_insert=True)
    except IntegrityError:
        return False
    return True


def _lock_chat(chat_id: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"telegram:{chat_id}"])


def _handle(talk: Conversation) -> None:
    what = talk.inbound.what
    if what is not None:
        _HANDLERS[type(what)](talk, what)


_HANDLERS: dict[type, Callable[[Conversation, Any], None]] = {
    Written: commands.on_written,
    Pressed: presses.on_pressed,
    Shut: membership.on_shut,
    Opened: membership.on_opened,
    Moved: membership.on_moved,
}


def _written_at(what: Written | Pressed, now: datetime) -> datetime:
    """Return when the person wrote: an update that waited for us is not from now."""
    return min(what.sent_at, now) if isinstance(what, Written) else now


def _given_up(inbound: Inbound, now: datetime) -> Conversation:
    """Take an update that cannot be handled, and apologize where the person waits for an answer."""
    talk = Conversation(inbound, now)
    _is_new(BotUpdate(bot_id=bot_id(), update_id=inbound.update_id, taken_at=now))
    with speaking(inbound.language or "en"):
        text = gettext("Something went wrong here. Try again later.")
    if isinstance(inbound.what, Pressed):
        talk.answers.append(Toast(inbound.what.query_id, text, alert=True))
    elif isinstance(inbound.what, Written) and inbound.is_private:
        talk.answers.append(Say(text))
    return talk
