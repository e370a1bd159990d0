"""Replay of dead letters by an operator, with routing by the persons' present destinations."""

import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.db.models import Count, Q

from notifications import store
from notifications.effects import Effects
from notifications.events import ChannelChoice
from notifications.models import Event
from notifications.operations.search import EventFilter
from notifications.routing.plan import plan_for
from notifications.settings import pipeline_settings
from notifications.states import REPLAYABLE, Channel, EndCode, EventState, Priority, Surface

_CHUNK = 500  # events of one transaction


@dataclass(frozen=True, slots=True)
class Operator:
    """The person or key that starts a replay, and the interface used."""

    surface: Surface
    who: str


@dataclass(slots=True)
class Preview:
    """The number of events that a replay would send now, and of those it would skip, by reason."""

    count: int = 0
    skipped: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Replayed:
    """The result of a replay. `remaining` events exceeded the limit: repeat the call for them."""

    replay_id: uuid.UUID
    count: int
    skipped: Counter[str]
    remaining: int
    paced_until: datetime
    effects: Effects


def preview(which: EventFilter, *, force: bool) -> Preview:
    """Count what a replay would send, without sending or writing anything.

    Reasons to skip: `running`, `delivered`, `superseded`, `confirmed` (late, by the person's client),
    `not_found`. Reasons that only routing finds are counted by `replay` itself.
    """
    which = _with_default_states(which)
    found = Preview()
    late = which.events().order_by().annotate(late=Q(confirmed_at__isnull=False))
    rows = late.values_list("state", "late")
    for state, confirmed, count in rows.annotate(count=Count("pk")):
        if reason := _refused(EventState(state), confirmed, force):
            found.skipped[reason] += count
        else:
            found.count += count
    if which.named:
        found.skipped["not_found"] = which.named - found.count - found.skipped.total()
    return found


def _with_default_states(which: EventFilter) -> EventFilter:
    """Return the filter; without events and states it selects the dead letters, forced or not."""
    if which.named or which.states:
        return which
    return replace(which, states=tuple(sorted(REPLAYABLE)))


def _refused(state: EventState, confirmed: bool, force: bool) -> str:
    if state is EventState.ACCEPTED:
        return "running"
    if state is EventState.SUPERSEDED:
        return "superseded"
    if force:
        return ""
    if state is EventState.DELIVERED:
        return "delivered"
    return "confirmed" if confirmed else ""


def replay(
    which: EventFilter, *, by: Operator, now: datetime, force: bool = False, limit: int | None = None
) -> Replayed:
    """Accept matching events again, CRITICAL ones first, and record who did it.

    Guarantee: an unfinished event is never replayed, and a delivered one only by force, marked as a possible
    duplicate. Each keeps its event_id and seq. The caller runs the effects.
    """
    which = _with_default_states(which)
    before = preview(which, force=force)
    order = store.open_replay(surface=by.surface, who=by.who, filter=which.to_json(), forced=force, now=now)
    pks = list(
        which.events()
        .filter(store.may_replay(force=force))
        .order_by("-priority", "pk")
        .values_list("pk", flat=True)[:limit]
    )
    skipped, effects = before.skipped, Effects()
    for some in _chunks(pks):
        routes, unroutable = _reroute(some, now)
        chunk = store.replay(order, routes, now=now, settings=pipeline_settings())
        skipped += unroutable + chunk.skipped
        effects.add(chunk.effects)
    order = store.replay_of(order.pk)
    return Replayed(
        order.pk, order.count, +skipped, max(before.count - len(pks), 0), order.paced_until, effects
    )


def _chunks(pks: list[int]) -> Iterator[list[int]]:
    for start in range(0, len(pks), _CHUNK):
        yield pks[start : start + _CHUNK]


@dataclass(frozen=True, slots=True)
class _Rerouting:
    """The part of a stored event that routing needs."""

    event_pk: int
    user_id: str
    event_type: str
    priority: Priority
    channels: tuple[ChannelChoice, ...]
    deadline_ms: int = 0  # a replay gives it time again

    @property
    def name(self) -> str:
        return str(self.event_pk)


def _reroute(pks: Sequence[int], now: datetime) -> tuple[list[store.Rerouted], Counter[str]]:
    """Route events by their persons' present destinations. Events without a step are only counted."""
    events = Event.objects.filter(pk__in=pks).select_related("person").order_by("-priority", "pk")
    rows = events.only("event_type", "priority", "channels", "person__external_id")
    routes, skipped = [], Counter[str]()
    for planned in plan_for([_rerouting(event) for event in rows], now=now):
        if planned is None:
            skipped["unknown_user"] += 1
        elif planned.plan.steps:
            routes.append(store.Rerouted(planned.request.event_pk, planned.plan))
        else:
            skipped[EndCode.NO_CHANNEL] += 1
    return routes, skipped


def _rerouting(event: Event) -> _Rerouting:
    requested = tuple(
        ChannelChoice(Channel(item["channel"]), item["only_if_active"]) for item in event.channels
    )
    return _Rerouting(
        event.pk, event.person.external_id, event.event_type, Priority(event.priority), requested
    )
