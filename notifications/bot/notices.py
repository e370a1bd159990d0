"""Telling a person on their other channels what happened to their chat: as an event, like every message."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any

from notifications.events import ChannelChoice, Envelope, JsonObject, SourceGrant
from notifications.ingest import ingest
from notifications.live.frames import to_ms
from notifications.operations.address_notices import SOURCE
from notifications.rendering.locales import gettext, speaking
from notifications.routing.plan import plan_for
from notifications.states import Channel, Priority
from notifications.transports import registry
from users.models import Source, User

log = logging.getLogger(__name__)

LINKED, TAKEN, STOPPED, BLOCKED = "chat_linked", "chat_taken", "chat_stopped", "chat_blocked"


@dataclass(frozen=True, slots=True)
class Notice:
    """What happened (one of the names above) to a person, by which update."""

    user_id: str
    what: str
    values: JsonObject = field(default_factory=dict)
    update_id: int = 0

    def to_json(self) -> JsonObject:
        return {"user_id": self.user_id, "what": self.what, "values": self.values}


def publish(notices: Sequence[Notice], *, now: datetime) -> None:
    """Publish notices to those who have another channel. Again is the same: an update has one event a person.

    Raises: database errors.
    """
    if not notices:
        return
    source, _ = Source.objects.get_or_create(name=SOURCE)
    if not source.enabled:
        return
    locales = dict(
        User.objects.filter(external_id__in=[one.user_id for one in notices]).values_list(
            "external_id", "locale"
        )
    )
    grant = SourceGrant(source.pk, source.name)
    envelopes = [
        _envelope(one, locales[one.user_id], grant, now) for one in notices if one.user_id in locales
    ]
    planned = plan_for(envelopes, now=now)
    reachable = [item.request for item in planned if item is not None and item.plan.steps]
    if reachable:
        ingest(reachable, now=now)
    log.info(
        "notices_published", extra={"count": len(reachable), "unreachable": len(notices) - len(reachable)}
    )


def _envelope(notice: Notice, locale: str, grant: SourceGrant, now: datetime) -> Envelope:
    with speaking(locale):
        title, body = _words(notice)
    others = [channel for channel in registry.channels() if channel is not Channel.TELEGRAM]
    name = f"{notice.what}-{notice.update_id}-{notice.user_id}"
    return Envelope(
        source=grant,
        event_id=f"telegram-{notice.what}-{notice.update_id}-{sha256(name.encode()).hexdigest()[:12]}",
        user_id=notice.user_id,
        event_type=f"account.telegram_{notice.what}",
        timestamp_ms=to_ms(now),
        priority=Priority.NORMAL,
        payload={"title": title, "body": body},
        digest=sha256(name.encode()).digest(),
        channels=tuple(map(ChannelChoice, others)),
    )


def _words(notice: Notice) -> tuple[str, str]:
    sentences: dict[str, tuple[str, str]] = {
        LINKED: (
            gettext("A Telegram chat was linked"),
            gettext("Messages for you may now go to a Telegram chat. If this was not you, tell us at once."),
        ),
        TAKEN: (
            gettext("Your Telegram chat was linked to another person"),
            gettext("No more messages for you go there. Link it again if this was a mistake."),
        ),
        STOPPED: (
            gettext("Telegram was switched off"),
            gettext("You wrote /stop in Telegram. Write /start there to get messages again."),
        ),
        BLOCKED: (
            gettext("You have blocked the bot in Telegram"),
            gettext("No messages for you go there until you unblock it."),
        ),
    }
    return sentences[notice.what]


def from_json(stored: Sequence[Any], update_id: int) -> list[Notice]:
    """Return the notices that were stored with an update."""
    return [Notice(one["user_id"], one["what"], one["values"], update_id) for one in stored]
