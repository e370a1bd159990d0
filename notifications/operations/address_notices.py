"""Telling people on another channel that an address of theirs was disabled: why, and how to mend it.

Looked for every minute. The id of a notice follows from the address and the time, so nobody is told twice.
What people do themselves, and what the bot hears from Telegram, is told elsewhere or needs no telling.
"""

import logging
from datetime import datetime, timedelta
from hashlib import sha256

from django.db.models import Q, QuerySet

from notifications import store
from notifications.effects import Effects
from notifications.events import Envelope, SourceGrant
from notifications.live.frames import to_ms
from notifications.live.push import push_accepted
from notifications.models import Event
from notifications.rendering import published
from notifications.rendering.locales import gettext, speaking
from notifications.routing.plan import plan_for
from notifications.states import Channel, Priority
from notifications.transports import registry
from users.models import Destination, Source

log = logging.getLogger(__name__)

SOURCE = "tocsin"  # of the system's own messages
EVENT_TYPE = "account.address_disabled"
_WITHIN = timedelta(days=1)  # what is older is no news
_AT_ONCE = 500


def tell(*, now: datetime) -> Effects:
    """Accept a notice for each address that was disabled lately, if the person has another channel."""
    disabled = {event_id(one): one for one in _disabled(now)}
    if not disabled:
        return Effects()
    source, _ = Source.objects.get_or_create(name=SOURCE)
    told = Event.objects.filter(source=source, event_id__in=disabled).values_list("event_id", flat=True)
    for known in told:
        del disabled[known]
    if not source.enabled or not disabled:
        return Effects()
    grant = SourceGrant(source.pk, source.name)
    envelopes = [_envelope(one, grant, now) for one in list(disabled.values())[:_AT_ONCE]]
    planned = [item for item in plan_for(envelopes, now=now) if item is not None and item.plan.steps]
    if not planned:
        return Effects()
    published.refresh()
    answers = store.accept([store.acceptance(item, now=now) for item in planned], now=now)
    log.info("address_notices", extra={"count": len(planned), "unreachable": len(envelopes) - len(planned)})
    return push_accepted(list(zip(planned, answers, strict=True)), now)


def _disabled(now: datetime) -> QuerySet[Destination]:
    elsewhere = Q(disabled_reason__endswith="by the person") | Q(disabled_reason__contains="blocked")
    found = Destination.objects.filter(disabled_at__gt=now - _WITHIN, disabled_at__lte=now)
    found = found.filter(user__is_active=True, verified_at__isnull=False).exclude(elsewhere)
    return found.select_related("user").order_by("disabled_at")


def event_id(one: Destination) -> str:
    assert one.disabled_at is not None
    return f"address-disabled-{one.pk}-{to_ms(one.disabled_at)}"


def _envelope(one: Destination, grant: SourceGrant, now: datetime) -> Envelope:
    name = event_id(one)
    with speaking(one.user.locale):
        values = {"channel": gettext(registry.spec(Channel(one.kind)).label), "address": one.masked}
        title = gettext("%(channel)s, %(address)s: nothing is sent there any more") % values
        text = gettext("The reason: %(reason)s. Mend it, then enable the address on your page Addresses.")
        body = text % {"reason": one.disabled_reason.rstrip(".")}
    return Envelope(
        source=grant,
        event_id=name,
        user_id=one.user.external_id,
        event_type=EVENT_TYPE,
        timestamp_ms=to_ms(now),
        priority=Priority.NORMAL,
        payload={"title": title, "body": body},
        digest=sha256(name.encode()).digest(),
    )
