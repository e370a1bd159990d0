"""What operators ask over HTTP: lists of events and replays. Bodies and parameters to one domain call."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import redis
from django.http import HttpRequest

from gateway.api.bodies import json_body
from gateway.codec.limits import InvalidEvent, check_integer, check_text, check_time
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
_FILTER = ("user", "type", "priority", "state", "from", "to")


def event_filter(source_id: int, given: Mapping[str, Any]) -> EventFilter:
    """Return the filter that a caller means, among the events of their own source.

    Raises: `InvalidEvent`.
    """
    for name in given:
        if name not in _FILTER:
            raise InvalidEvent("unknown_field", f"Known are {', '.join(_FILTER)}.", str(name)[:60])
    state = _text(given, "state")
    priority = _text(given, "priority")
    return EventFilter(
        source_id=source_id,
        user=_text(given, "user"),
        event_type=_text(given, "type"),
        priority=_member(Priority, priority, "priority") if priority else None,
        states=(_member(EventState, state.upper(), "state"),) if state else (),
        since=_time(given, "from"),
        until=_time(given, "to"),
    )


def query(parameters: Mapping[str, str]) -> dict[str, Any]:
    """Return a query string's filter as a body would have it: times are numbers."""
    given: dict[str, Any] = {name: parameters[name] for name in parameters if name not in {"cursor", "limit"}}
    for name in ("from", "to"):
        if name in given and given[name].isascii() and given[name].isdigit():
            given[name] = int(given[name][:20])
    return given


def _text(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InvalidEvent("not_a_string", "Send text.", name)
    return check_text(value, name, longest=200)


def _member(enum: Any, name: str, field: str) -> Any:
    if name not in enum.__members__:
        raise InvalidEvent("unknown_value", f"One of {', '.join(enum.__members__)}.", field)
    return enum[name]


def _time(given: Mapping[str, Any], name: str) -> datetime | None:
    if given.get(name) is None:
        return None
    return datetime.fromtimestamp(check_time(given[name], name) / 1000, UTC)


def listed(source_id: int, given: Mapping[str, Any], cursor: int | None, limit: int) -> dict[str, Any]:
    """Return one page of events, the latest first, and where the next one begins."""
    events = search.page(event_filter(source_id, given), before=cursor, limit=limit)
    return {
        "events": [_line(event) for event in events],
        "next_cursor": events[-1].pk if len(events) == limit else None,
    }


def _line(event: Event) -> dict[str, Any]:
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
        "final_at": to_ms(event.final_at) if event.final_at else None,
        "replay_id": str(event.replay_id) if event.replay_id else None,
        "replay_count": event.replay_count,
    }


def stats(source_id: int, window_s: int) -> dict[str, Any]:
    """Return a source's counts, and how the whole system fares. Redis away: canaries are `null`."""
    now = clock.now()
    try:
        ages = canary.ages(now=now)
    except redis.RedisError:
        ages = dict.fromkeys(canary.queues())
    canaries = {queue: None if age is None else round(age, 1) for queue, age in ages.items()}
    system = {
        "overdue": monitor.overdue(now=now),
        "orphaned": monitor.orphaned(),
        "canary_age_s": canaries,
    }
    return monitor.stats(source_id, now=now, window_s=window_s) | {"system": system}


@commits_noticed()
def replay_as_asked(request: HttpRequest) -> tuple[dict[str, Any], bool]:
    """Replay what the body names, or count it. Return the answer, and whether anything was accepted.

    Raises: `InvalidEvent`.
    """
    key: LiveKey = request.auth  # type: ignore[attr-defined]
    body = json_body(request)
    which = _named(key.source_id, body)
    force = _flag(body, "force")
    limit = check_integer(body.get("limit", REPLAYED_AT_MOST), "limit", lowest=1, highest=REPLAYED_AT_MOST)
    if EventState.DELIVERED in which.states and not force:
        raise InvalidEvent("force_needed", "Delivered events are sent again only with force.", "filter.state")
    if _flag(body, "dry_run"):
        found = preview(which, force=force)
        return {"dry_run": True, "count": found.count, "skipped": dict(+found.skipped)}, False
    by = Operator(Surface.API, f"{key.source_name} tsn_{key.prefix}")
    done = replay(which, by=by, now=clock.now(), force=force, limit=limit)
    dispatch.run_effects_later(done.effects)
    return {
        "dry_run": False,
        "replay_id": str(done.replay_id),
        "count": done.count,
        "skipped": dict(done.skipped),
        "remaining": done.remaining,
        "last_due_at": to_ms(done.paced_until),
    }, True


_BODY = ("event_ids", "filter", "dry_run", "force", "limit")


def _named(source_id: int, body: dict[str, Any]) -> EventFilter:
    """Return which events the body means: by ids or by a filter, which may be empty, but not by neither."""
    for name in body:
        if name not in _BODY:
            raise InvalidEvent("unknown_field", f"Known are {', '.join(_BODY)}.", str(name)[:60])
    if ("event_ids" in body) == ("filter" in body):
        raise InvalidEvent(
            "missing_field", "Give event_ids, or a filter; {} means every dead letter.", "filter"
        )
    if "filter" in body:
        if not isinstance(body["filter"], dict):
            raise InvalidEvent("not_an_object", "An object; {} means every dead letter.", "filter")
        return event_filter(source_id, body["filter"])
    ids = body["event_ids"]
    if not isinstance(ids, list) or not 1 <= len(ids) <= IDS_AT_MOST:
        raise InvalidEvent("out_of_range", f"A list of 1 to {IDS_AT_MOST} event ids.", "event_ids")
    texts = {_text({"event_ids": item}, "event_ids") for item in ids}
    return EventFilter(source_id=source_id, event_ids=tuple(sorted(texts)))


def _flag(body: dict[str, Any], name: str) -> bool:
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise InvalidEvent("not_a_boolean", "true or false.", name)
    return value
