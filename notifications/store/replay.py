"""Replay: an event that reached nobody is accepted again under its own id. No other change leaves an end.

Nothing is overwritten: plan and trace grow, the deliveries remain, and `history` keeps each earlier end.
"""

import json
import math
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Max, Q

from notifications.effects import Effects, Ring
from notifications.events import JsonObject, Plan
from notifications.models import Delivery, Event, Replay
from notifications.settings import PipelineSettings
from notifications.states import (
    REPLAYABLE,
    REPLAYABLE_BY_FORCE,
    AttemptOutcome,
    DeliveryState,
    EventState,
    Evidence,
    Priority,
    Surface,
    may_become,
)
from notifications.store.deliveries import end_delivery, insert_deliveries, new_delivery
from notifications.store.order import newer_exists


@dataclass(frozen=True, slots=True)
class Rerouted:
    """An event that may be replayed, with a plan for the person's present destinations. It has a step."""

    event_pk: int
    plan: Plan


@dataclass(slots=True)
class Chunk:
    """The result of one transaction. `skipped` counts events that were not replayed, by reason."""

    count: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    effects: Effects = field(default_factory=Effects)


def may_replay(*, force: bool) -> Q:
    """Return the condition under which an event may be replayed.

    Without force: it reached nobody, and no client has confirmed it late. An event that has not ended, or
    whose replay has not, is never replayed.
    """
    if force:
        return Q(state__in=REPLAYABLE_BY_FORCE)
    return Q(state__in=REPLAYABLE, confirmed_at__isnull=True)


def open_replay(*, surface: Surface, who: str, filter: JsonObject, forced: bool, now: datetime) -> Replay:
    """Record who replays which events, before anything is sent."""
    return Replay.objects.create(
        surface=surface, who=who[:200], filter=filter, forced=forced, at=now, paced_until=now
    )


def replay(order: Replay, routes: Sequence[Rerouted], *, now: datetime, settings: PipelineSettings) -> Chunk:
    """Accept these events again in one transaction, and pace their first deliveries.

    All replays together start `replay_per_s` deliveries a second: those due now are returned as rings, the
    others wait in `ring_at` for the sweep. Events that have changed since they were routed are skipped.
    """
    with transaction.atomic():
        start = _take_turn(now)
        chunk = Chunk()
        chosen = _lock([route.event_pk for route in routes], chunk, force=order.forced)
        maybe_known = _may_have_arrived(list(chosen))
        rows: list[dict[str, Any]] = []
        accepted: list[tuple[Event, Plan, datetime]] = []
        for route in routes:
            event = chosen.get(route.event_pk)
            if event is not None:
                due = start + timedelta(seconds=int(len(rows) / settings.replay_per_s))
                due = max(due, route.plan.steps[0].hold_until or due)
                rows.append(
                    _first_delivery(event, route.plan, due, now, order.forced or event.pk in maybe_known)
                )
                accepted.append((event, route.plan, due))
        chunk.count = len(rows)
        if rows:
            _close_open(list(chosen), now)
            _accept_again(order, accepted, now, settings)
            insert_deliveries(rows)
            paced_until = start + timedelta(seconds=len(rows) / settings.replay_per_s)
            Replay.objects.filter(pk=order.pk).update(count=F("count") + len(rows), paced_until=paced_until)
        chunk.effects.rings += [
            Ring(str(row["id"]), Priority(row["priority"])) for row in rows if row["not_before"] <= now
        ]
        return chunk


_TURN = 0x70C51  # key of the advisory lock: transactions plan their pace one after the other


def _take_turn(now: datetime) -> datetime:
    """Return when the next delivery may start, after those of all earlier replays."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_TURN])
    last: datetime | None = Replay.objects.filter(paced_until__gt=now).aggregate(at=Max("paced_until"))["at"]
    return last or now


def _lock(pks: list[int], chunk: Chunk, *, force: bool) -> dict[int, Event]:
    """Lock the events that may still be replayed, in id order.

    Without those with a send in flight, and those whose newer state was accepted.
    """
    found = Event.objects.select_for_update().filter(may_replay(force=force), pk__in=pks).order_by("pk")
    events = {event.pk: event for event in found.only("pk", "plan", "priority", "replay_count")}
    in_flight = set(
        Delivery.objects.filter(event_id__in=list(events), state=DeliveryState.SENDING).values_list(
            "event_id", flat=True
        )
    )
    out_of_date = newer_exists(list(events)) - in_flight
    chunk.skipped["in_flight"] += len(in_flight)
    chunk.skipped["superseded"] += len(out_of_date)
    chunk.skipped["changed"] += len(pks) - len(events)
    return {pk: event for pk, event in events.items() if pk not in in_flight | out_of_date}


def _may_have_arrived(event_pks: list[int]) -> set[int]:
    """Return the events with a send of unknown outcome."""
    lost = [AttemptOutcome.UNKNOWN, AttemptOutcome.LEASE_EXPIRED]
    unsure = Q(state=DeliveryState.UNKNOWN) | Q(possible_duplicate=True) | Q(tries__outcome__in=lost)
    rows = Delivery.objects.filter(unsure, event_id__in=event_pks)
    return set(rows.values_list("event_id", flat=True))


def _first_delivery(event: Event, plan: Plan, due: datetime, now: datetime, unsure: bool) -> dict[str, Any]:
    step = plan.steps[0]
    return new_delivery(
        event.pk,
        channel=step.channel,
        destination_id=step.destination_id,
        position=len(event.plan),
        replay=event.replay_count + 1,
        priority=event.priority,
        now=now,
        not_before=due,
        ring_at=due if due > now else None,
        possible_duplicate=unsure,
    )


def _close_open(event_pks: list[int], now: datetime) -> None:
    """End the open deliveries of ended events: accepted again, the events would send them too."""
    still_open = Delivery.objects.filter(event_id__in=event_pks, ring_at__isnull=False)
    cancelling = still_open.filter(state__in=may_become(DeliveryState.CANCELLED))
    end_delivery(cancelling, DeliveryState.CANCELLED, now=now)


_ACCEPT_AGAIN = f"""
UPDATE notifications_event e
SET history = e.history || jsonb_build_array(jsonb_build_object(
        'state', e.state, 'code', e.code, 'delivered_via', e.delivered_via, 'evidence', e.evidence,
        'final_at', (extract(epoch FROM e.final_at) * 1000)::bigint,
        'confirmed_at', (extract(epoch FROM e.confirmed_at) * 1000)::bigint,
        'replayed_at', %(now_ms)s::bigint, 'replay_id', %(replay)s::text,
        'forced', %(forced)s::boolean)),
    state = '{EventState.ACCEPTED}', code = '', delivered_via = NULL, evidence = '{Evidence.NONE}',
    final_at = NULL,
    confirmed_at = NULL, acknowledged_at = NULL, replied_at = NULL,
    replay_id = %(replay)s::uuid, replay_count = e.replay_count + 1, replay_due_at = g.due,
    expires_at = GREATEST(e.expires_at, g.expires_at),
    plan = e.plan || g.plan, trace = e.trace || g.trace
FROM unnest(%(ids)s::bigint[], %(dues)s::timestamptz[], %(expiries)s::timestamptz[],
            %(plans)s::text[]::jsonb[], %(traces)s::text[]::jsonb[]) AS g(id, due, expires_at, plan, trace)
WHERE e.id = g.id
"""


def _accept_again(
    order: Replay, accepted: Sequence[tuple[Event, Plan, datetime]], now: datetime, settings: PipelineSettings
) -> None:
    """Write the new acceptance. The events are locked and may be replayed."""
    expiry_s = {Priority.CRITICAL: settings.expiry_critical_s}
    given: Any = {
        "now_ms": math.floor(now.timestamp() * 1000),
        "replay": str(order.pk),
        "forced": order.forced,
        "ids": [event.pk for event, _, _ in accepted],
        "dues": [due for _, _, due in accepted],
        "expiries": [
            due + timedelta(seconds=expiry_s.get(Priority(event.priority), settings.expiry_normal_s))
            for event, _, due in accepted
        ],
        "plans": [_numbered(plan.steps, event) for event, plan, _ in accepted],
        "traces": [_numbered(plan.trace, event) for event, plan, _ in accepted],
    }
    with connection.cursor() as cursor:
        cursor.execute(_ACCEPT_AGAIN, given)


def _numbered(items: Sequence[Any], event: Event) -> str:
    """Return steps or decisions as JSON, each with its replay number."""
    return json.dumps([item.to_json() | {"replay": event.replay_count + 1} for item in items])


def replay_of(pk: uuid.UUID) -> Replay:
    """Return the audit row."""
    return Replay.objects.get(pk=pk)
