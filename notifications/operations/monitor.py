"""Health of the pipeline, measured from its rows with one cheap query each."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Count, Exists, Min, OuterRef, Subquery
from django.db.models.functions import Coalesce, Greatest
from typing_extensions import TypedDict

from notifications import store
from notifications.models import Broadcast, Delivery, Event
from notifications.operations import canary
from notifications.settings import pipeline_settings
from notifications.states import DELIVERY_IN_FLIGHT, DELIVERY_WAITING, Channel, EventState, Priority

STUCK_AFTER_S = 60  # the sweep visits a row within a second or two of its `ring_at`
RECENT_S = 300


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The figures to alert on. `orphaned` above 0 means a bug, `overdue` that sweep or workers are behind."""

    oldest_critical_s: float  # age of the oldest unfinished CRITICAL event; 0: there is none
    overdue: int  # deliveries and broadcasts that were due over a minute ago, those of a backlog included
    orphaned: int  # accepted events without an open delivery: no sweep would ever visit them
    unfinished: dict[str, int]  # accepted events by priority
    dead_letters: int
    recent: dict[str, int]  # events accepted in the last five minutes, by their state now


def snapshot(*, now: datetime) -> Snapshot:
    return Snapshot(
        oldest_critical_s(now=now),
        overdue(now=now),
        orphaned(),
        _unfinished(),
        Event.objects.filter(state=EventState.FAILED).count(),
        _recent(now),
    )


def oldest_critical_s(*, now: datetime, source_id: int | None = None) -> float:
    """Return the age of the oldest unfinished CRITICAL event.

    A replayed one counts from its due time, and one that was held from its release.
    """
    waiting = Event.objects.filter(state=EventState.ACCEPTED, priority=Priority.CRITICAL)
    if source_id is not None:
        waiting = waiting.filter(source_id=source_id)
    open_ones = Delivery.objects.filter(event=OuterRef("pk"), ended_at__isnull=True)
    held_until = Subquery(open_ones.values("held_until")[:1])
    began = Greatest(Coalesce("replay_due_at", "accepted_at"), held_until)
    since = waiting.aggregate(at=Min(began))["at"]
    return 0.0 if since is None else max((now - since).total_seconds(), 0.0)


def overdue(*, now: datetime) -> int:
    due_before = now - timedelta(seconds=STUCK_AFTER_S)
    of_each = Delivery.objects.filter(priority__in=store.SWEPT_PRIORITIES, ring_at__lte=due_before)
    deliveries = (of_each.filter(state__in=states) for states in (DELIVERY_WAITING, DELIVERY_IN_FLIGHT))
    rows = [*deliveries, Broadcast.objects.filter(ring_at__lte=due_before)]
    first, *others = (some.order_by().values("ring_at") for some in rows)
    return first.union(*others, all=True).count()


def orphaned() -> int:
    open_ones = Delivery.objects.filter(event=OuterRef("pk"), ring_at__isnull=False)
    return Event.objects.filter(~Exists(open_ones), state=EventState.ACCEPTED).count()


def _unfinished() -> dict[str, int]:
    rows = Event.objects.filter(state=EventState.ACCEPTED).order_by().values_list("priority")
    found = dict(rows.annotate(count=Count("pk")))
    return {priority.name: found.get(priority.value, 0) for priority in (Priority.NORMAL, Priority.CRITICAL)}


def _recent(now: datetime) -> dict[str, int]:
    since = now - timedelta(seconds=RECENT_S)
    rows = Event.objects.filter(accepted_at__gte=since).order_by().values_list("state")
    found = dict(rows.annotate(count=Count("pk")))
    return {state.value: found.get(state.value, 0) for state in EventState}


def problems(*, now: datetime) -> list[str]:
    """Return the names of the problems found, for a log.

    Raises: database and Redis errors, which are problems too.
    """
    settings = pipeline_settings()
    found = []
    if oldest_critical_s(now=now) > settings.heartbeat_critical_age_s:
        found.append("oldest_critical")
    if overdue(now=now):
        found.append("overdue")
    if orphaned():
        found.append("orphaned")
    ages = canary.ages(now=now)
    return found + [f"canary_{queue}" for queue, age in ages.items() if is_stale(age)]


def is_stale(age_s: float | None) -> bool:
    return age_s is None or age_s > pipeline_settings().canary_max_age_s


_COUNTS = """
SELECT event_type, priority, state, delivered_via,
       grouping(event_type, priority, state, delivered_via), count(*)
FROM notifications_event WHERE source_id = %s AND accepted_at >= %s
GROUP BY GROUPING SETS ((event_type), (priority), (state), (delivered_via))
"""
_SETS = {0b0111: "type", 0b1011: "priority", 0b1101: "state", 0b1110: "channel"}  # the bit of each is off

_LAG = """
SELECT percentile_disc(ARRAY[0.5, 0.99]) WITHIN GROUP (ORDER BY final_at - accepted_at)
FROM notifications_event
WHERE source_id = %s AND accepted_at >= %s AND state = %s AND replay_count = 0
"""


class Latency(TypedDict):
    p50: int | None
    p99: int | None


class SourceStats(TypedDict):
    window_s: int
    by: dict[str, dict[str, int]]
    delivered_within_ms: Latency
    oldest_critical_s: float


def stats(source_id: int, *, now: datetime, window_s: int) -> SourceStats:
    """Return the counts of a source's events that were accepted in the window, and how long they took."""
    since = now - timedelta(seconds=window_s)
    counts: dict[str, dict[str, int]] = {name: {} for name in _SETS.values()}
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS, [source_id, since])
        for *columns, grouping, count in cursor.fetchall():
            kind = _SETS[grouping]
            value = columns[list(counts).index(kind)]
            if value is not None:  # without a channel: it has not been delivered
                counts[kind][_name(kind, value)] = count
        cursor.execute(_LAG, [source_id, since, EventState.DELIVERED])
        lag = cursor.fetchone()[0] or (None, None)
    return {
        "window_s": window_s,
        "by": counts,
        "delivered_within_ms": {"p50": _ms(lag[0]), "p99": _ms(lag[1])},
        "oldest_critical_s": round(oldest_critical_s(now=now, source_id=source_id), 1),
    }


def _name(kind: str, value: Any) -> str:
    enums: dict[str, type[Priority] | type[Channel]] = {"priority": Priority, "channel": Channel}
    return enums[kind](value).name if kind in enums else str(value)


def _ms(lag: timedelta | None) -> int | None:
    return None if lag is None else round(lag.total_seconds() * 1000)
