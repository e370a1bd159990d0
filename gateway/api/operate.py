"""What operators ask over HTTP: lists of events and replays. Bodies and parameters to one domain call."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

import redis
from django.http import HttpRequest
from typing_extensions import TypedDict

from gateway.api.bodies import json_body
from gateway.api.shown import ms_or_none
from gateway.codec.limits import InvalidEvent, check_time
from gateway.codec.people import check_boolean, checked_object
from gateway.codec.schema import Field, Kind, Values, integer, object_schema, text
from notifications import dispatch
from notifications.live.frames import to_ms
from notifications.models import Event
from notifications.operations import canary, monitor, search
from notifications.operations.replay import Operator, preview, replay
from notifications.operations.search import EventFilter
from notifications.states import Channel, EventState, Priority, Surface
from runtime.postgres import clock
from runtime.postgres.commits import commits_noticed
from users.keys import LiveKey

IDS_AT_MOST = 1_000
REPLAYED_AT_MOST = 10_000  # of one call; the answer says how many remain


def _member(members: Mapping[str, Any]) -> Callable[[Any, str], Any]:
    """Return the check of a name, which gives the member."""

    def check(name: Any, field: str) -> Any:
        if not isinstance(name, str) or name not in members:
            raise InvalidEvent("unknown_value", f"One of {', '.join(members)}.", field)
        return members[name]

    return check


def _check_time(value: Any, field: str) -> datetime:
    return datetime.fromtimestamp(check_time(value, field) / 1000, UTC)


def _nothing() -> None:
    """The value of what was not given: it filters nothing."""


_STATES = {state.value: state for state in EventState}
_MOMENT = Kind(_check_time, {"type": "integer", "minimum": 0}, _nothing)
FILTER = (
    Field("user", text(), "the person's external id"),
    Field("type", text(), "the event type, as it is shown"),
    Field(
        "priority",
        Kind(_member(Priority.__members__), {"enum": list(Priority.__members__)}, _nothing),
        "the priority",
    ),
    Field("state", Kind(_member(_STATES), {"enum": list(_STATES)}, _nothing), "the state"),
    Field("from", _MOMENT, "accepted at or after, in Unix milliseconds"),
    Field("to", _MOMENT, "accepted before, in Unix milliseconds"),
)


def _check_ids(value: Any, field: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= IDS_AT_MOST:
        raise InvalidEvent("out_of_range", f"A list of 1 to {IDS_AT_MOST} event ids.", field)
    return tuple(sorted({text().check(item, field) for item in value}))


def _check_filter(value: Any, field: str) -> Values:
    return checked_object(FILTER, value, field)


_FLAG = Kind(check_boolean, {"type": "boolean", "default": False}, bool)
REPLAY = (
    Field(
        "event_ids",
        Kind(
            _check_ids,
            {
                "type": "array",
                "minItems": 1,
                "maxItems": IDS_AT_MOST,
                "items": {"type": "string", "maxLength": 200},
            },
            _nothing,
        ),
        "the events",
    ),
    Field(
        "filter",
        Kind(_check_filter, object_schema(FILTER, "EventFilter"), _nothing),
        "instead of event_ids; {} is every dead letter",
    ),
    Field("dry_run", _FLAG, "only count"),
    Field("force", _FLAG, "also what has been delivered"),
    Field(
        "limit",
        Kind(
            integer(REPLAYED_AT_MOST, 1).check, integer(REPLAYED_AT_MOST, 1).schema, lambda: REPLAYED_AT_MOST
        ),
        "so many at most; the answer says how many remain",
    ),
)


def _event_filter(source_id: int, found: Values) -> EventFilter:
    return EventFilter(
        source_id=source_id,
        user=found["user"],
        event_type=found["type"],
        priority=found["priority"],
        states=() if found["state"] is None else (found["state"],),
        since=found["from"],
        until=found["to"],
    )


def query(parameters: Mapping[str, str]) -> dict[str, Any]:
    """Return a query string's filter as a body would have it: times are numbers."""
    given: dict[str, Any] = {name: parameters[name] for name in parameters if name not in {"cursor", "limit"}}
    for name in ("from", "to"):
        if name in given and given[name].isascii() and given[name].isdigit():
            given[name] = int(given[name][:20])
    return given


class EventLine(TypedDict):
    """An event in a list."""

    event_id: str
    user_id: str
    seq: int
    event_type: str
    priority: str
    timestamp: int
    accepted_at: int
    state: str
    code: str
    delivered_via: str | None
    evidence: str
    final_at: int | None
    replay_id: str | None
    replay_count: int


class EventPage(TypedDict):
    """A page of events, the latest first. `next_cursor` is the `cursor` of the page after it."""

    events: list[EventLine]
    next_cursor: int | None


class SystemHealth(TypedDict):
    overdue: int
    orphaned: int
    canary_age_s: dict[str, float | None]


class EventStats(monitor.SourceStats):
    """Counts of a source's events, and the health of the whole system."""

    system: SystemHealth


class ReplayPreview(TypedDict):
    """How many events a replay would accept again, and how many not, by the reason."""

    dry_run: Literal[True]
    count: int
    skipped: dict[str, int]


class ReplayStarted(TypedDict):
    """What a replay has accepted again. `remaining` is left for the next call."""

    dry_run: Literal[False]
    replay_id: str
    count: int
    skipped: dict[str, int]
    remaining: int
    last_due_at: int


def listed(source_id: int, given: Mapping[str, Any], cursor: int | None, limit: int) -> EventPage:
    """Return one page of events, the latest first, and where the next one begins."""
    events = search.page(
        _event_filter(source_id, checked_object(FILTER, given, "")), before=cursor, limit=limit
    )
    return {
        "events": [_line(event) for event in events],
        "next_cursor": events[-1].pk if len(events) == limit else None,
    }


def _line(event: Event) -> EventLine:
    via = event.delivered_via
    return {
        "event_id": event.event_id,
        "user_id": event.person.external_id,
        "seq": event.seq,
        "event_type": event.event_type,
        "priority": Priority(event.priority).name,
        "timestamp": to_ms(event.occurred_at),
        "accepted_at": to_ms(event.accepted_at),
        "state": event.state,
        "code": event.code,
        "delivered_via": None if via is None else Channel(via).name,
        "evidence": event.evidence.upper(),
        "final_at": ms_or_none(event.final_at),
        "replay_id": str(event.replay_id) if event.replay_id else None,
        "replay_count": event.replay_count,
    }


def stats(source_id: int, window_s: int) -> EventStats:
    """Return a source's counts, and how the whole system fares. Redis away: canaries are `null`."""
    now = clock.now()
    try:
        ages = canary.ages(now=now)
    except redis.RedisError:
        ages = dict.fromkeys(canary.queues())
    canaries = {queue: None if age is None else round(age, 1) for queue, age in ages.items()}
    system: SystemHealth = {
        "overdue": monitor.overdue(now=now),
        "orphaned": monitor.orphaned(),
        "canary_age_s": canaries,
    }
    return {**monitor.stats(source_id, now=now, window_s=window_s), "system": system}


@commits_noticed()
def replay_as_asked(request: HttpRequest) -> ReplayPreview | ReplayStarted:
    """Replay what the body names, or count it.

    Raises: `InvalidEvent`.
    """
    key: LiveKey = request.auth  # type: ignore[attr-defined]
    asked = checked_object(REPLAY, json_body(request), "")
    which, force = _meant(key.source_id, asked), asked["force"]
    if EventState.DELIVERED in which.states and not force:
        raise InvalidEvent("force_needed", "Delivered events are sent again only with force.", "filter.state")
    if asked["dry_run"]:
        found = preview(which, force=force)
        return {"dry_run": True, "count": found.count, "skipped": dict(+found.skipped)}
    by = Operator(Surface.API, f"{key.source_name} tsn_{key.prefix}")
    done = replay(which, by=by, now=clock.now(), force=force, limit=asked["limit"])
    dispatch.run_effects_later(done.effects)
    return {
        "dry_run": False,
        "replay_id": str(done.replay_id),
        "count": done.count,
        "skipped": dict(done.skipped),
        "remaining": done.remaining,
        "last_due_at": to_ms(done.paced_until),
    }


def _meant(source_id: int, asked: Values) -> EventFilter:
    """Return which events are meant: by ids or by a filter, which may be empty, but not by neither."""
    if (asked["event_ids"] is None) == (asked["filter"] is None):
        raise InvalidEvent(
            "missing_field", "Give event_ids, or a filter; {} means every dead letter.", "filter"
        )
    if asked["filter"] is not None:
        return _event_filter(source_id, asked["filter"])
    return EventFilter(source_id=source_id, event_ids=asked["event_ids"])
