"""The timeline of one event, from its rows: every decision, attempt and outcome."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from notifications.events import JsonObject
from notifications.live.frames import stored_content, to_ms
from notifications.models import Attempt, Delivery, Event
from notifications.rendering.render import link_remark
from notifications.states import (
    AttemptOutcome,
    Channel,
    DeliveryState,
    EventState,
    Evidence,
    FailureKind,
    HoldReason,
    SkipReason,
    Verdict,
    WaitReason,
)

_SKIPPED: dict[str, str] = {
    SkipReason.NO_SESSION: "no page is open",
    SkipReason.NO_DESTINATION: "the person has no address there",
    SkipReason.UNVERIFIED: "the address is not verified",
    SkipReason.SWITCHED_OFF: "the person has switched it off",
    SkipReason.NOT_ACTIVE: "only if active, and it is not",
    SkipReason.UNSUPPORTED: "no transport sends there yet",
    SkipReason.LIVE_ONLY: "informational events go to open pages only",
    SkipReason.BELOW_PRIORITY: "the person wants more urgent events there",
    SkipReason.MUTED: "the person has muted it",
    SkipReason.THROTTLED: "enough of this type were sent",
    SkipReason.EXPIRES_WHILE_HELD: "it expires before the person wants it sent",
    SkipReason.NEVER_OPEN: "quiet hours and send windows leave no time",
}

_HELD: dict[str, str] = {
    HoldReason.QUIET_HOURS: "quiet hours",
    HoldReason.SEND_WINDOW: "outside the person's send windows",
    HoldReason.MUTED: "muted, and it does not pierce",
    HoldReason.DIGEST: "it goes together with others",
    WaitReason.ORDER: "an earlier event of its key has not ended",
}


def timeline(event: Event, deliveries: Iterable[Delivery]) -> list[JsonObject]:
    """Return the steps of an event, oldest first.

    A step is `{"at": Unix ms, "kind", "text", "level": info|ok|warn|error, "channel": name or None}`.
    `deliveries` come with their `tries` prefetched.
    """
    steps = [_step(event.accepted_at, "accepted", f"accepted as seq {event.seq}")]
    if remark := link_remark(stored_content(event, "UTC", "en")):
        steps.append(_step(event.accepted_at, "links", remark, "warn"))
    for end in event.history:
        steps += _replayed(end)
    steps += [_routed(event, line) for line in event.trace]
    rows = list(deliveries)
    firsts: set[int] = set()  # replays, 0 for none, whose first delivery is in the steps
    for row in rows:
        steps += _delivery_steps(row, first=row.replay not in firsts)
        firsts.add(row.replay)
    told = any(row.channel == Channel.WEB and row.state == DeliveryState.CONFIRMED for row in rows)
    if event.confirmed_at is not None and not told:
        steps.append(_step(event.confirmed_at, "confirmed", "the page confirmed it late", "ok", Channel.WEB))
    if event.final_at is not None:
        at = event.final_at
        steps.append(_told(at, event.state, event.code, event.delivered_via, _evidence_at_the_end(event)))
    if event.acknowledged_at is not None:
        text = "the person acknowledged it, evidence HUMAN"
        pressed = (row.channel for row in rows if row.ended_at == event.acknowledged_at and _was_pressed(row))
        steps.append(_step(event.acknowledged_at, "acknowledged", text, "ok", next(pressed, Channel.WEB)))
    return sorted(steps, key=lambda step: int(step["at"]))


def _was_pressed(row: Delivery) -> bool:
    """Tell whether the person has acknowledged the event with this message's button."""
    return row.state == DeliveryState.CONFIRMED and row.channel != Channel.WEB


def _evidence_at_the_end(event: Event) -> str:
    """Return the evidence in the producer's final ack: a later acknowledgement makes the row's stronger."""
    upgraded = event.acknowledged_at is not None and event.acknowledged_at != event.final_at
    if not upgraded or not event.evidence:
        return event.evidence
    return Evidence.CLIENT if event.delivered_via == Channel.WEB else Evidence.TRANSPORT


def _step(
    at: datetime | int, kind: str, text: str, level: str = "info", channel: int | None = None
) -> JsonObject:
    name = None if channel is None else Channel(channel).name
    at_ms = at if isinstance(at, int) else to_ms(at)
    return {"at": at_ms, "kind": kind, "text": text, "level": level, "channel": name}


def _replayed(end: JsonObject) -> list[JsonObject]:
    """Return the end of an acceptance, and the replay that followed it."""
    forced = ", forced: a possible duplicate" if end["forced"] else ""
    text = f"accepted again by replay {end['replay_id']}{forced}"
    return [
        _told(end["final_at"], end["state"], end["code"], end["delivered_via"], end["evidence"]),
        _step(end["replayed_at"], "replayed", text),
    ]


def _routed(event: Event, line: dict[str, Any]) -> JsonObject:
    name = Channel(line["channel"]).name
    replay = line.get("replay", 0)
    at: datetime | int = event.history[replay - 1]["replayed_at"] if replay else event.accepted_at
    if "at" in line:  # found before a send, after the routing
        at = datetime.fromisoformat(line["at"])
    if line["verdict"] == Verdict.CHOSEN:
        because = f": it {line['reason']}" if line["reason"].startswith("pierces") else ""
        return _step(at, "routed", f"{name} chosen{because}", "info", line["channel"])
    until = f" until {datetime.fromisoformat(line['until']):%Y-%m-%d %H:%M:%S} UTC" if "until" in line else ""
    if "by" in line:
        return _step(at, "superseded", f"superseded by {line['by']}, version {line['version']}")
    if "behind" in line:
        return _step(
            at, "held", f"{name} waits for {line['behind']}: {_HELD[line['reason']]}", "info", line["channel"]
        )
    if line["verdict"] == Verdict.HELD:
        return _step(at, "held", f"{name} held{until}: {_HELD[line['reason']]}", "info", line["channel"])
    if line["verdict"] == Verdict.MERGED:
        text = f"{name}: sent as one of {line['count']} in the message of delivery {line['into']}"
        return _step(at, "merged", text, "info", line["channel"])
    reason = _SKIPPED.get(line["reason"], line["reason"])
    return _step(at, "skipped", f"{name} skipped{until}: {reason}", "info", line["channel"])


def _delivery_steps(row: Delivery, *, first: bool) -> list[JsonObject]:
    name = Channel(row.channel).name
    steps = []
    if not first:
        steps.append(_step(row.created_at, "next", f"next channel: {name}", "info", row.channel))
    steps += [_attempt(row, attempt, name) for attempt in row.tries.all()]
    by_wish = row.held_until == row.not_before  # the trace tells of it
    if row.waiting_since is not None and row.not_before > row.waiting_since and not by_wish:
        text = f"waiting for {name} until {row.not_before:%Y-%m-%d %H:%M:%S} UTC: {_WAITS[row.wait_reason]}"
        steps.append(_step(row.waiting_since, "waiting", text, "warn", row.channel))
    ending = _ENDINGS.get(DeliveryState(row.state))
    if _was_pressed(row) and row.ended_at is not None:
        text = f"the button of {name}'s message was pressed"
        steps.append(_step(row.ended_at, "confirmed", text, "ok", row.channel))
    elif ending and row.ended_at is not None:
        kind, text, level = ending
        if row.failure_kind != FailureKind.UNCONFIRMED:
            because = f": {row.error}" if row.error else ""
            return [*steps, _step(row.ended_at, kind, f"{name} {text}{because}", level, row.channel)]
        late = row.state == DeliveryState.CONFIRMED
        missed_at = row.ack_deadline if late and row.ack_deadline else row.ended_at
        text = f"{name} did not confirm in time"
        steps.append(_step(missed_at, "unconfirmed", text, "error", row.channel))
        if late:
            steps.append(_step(row.ended_at, "confirmed", "the page confirmed it late", level, row.channel))
    return steps


# The last wait on a channel; its earlier ones are not kept.
_WAITS: dict[str, str] = {
    WaitReason.RETRY: "a send failed, another will follow",
    WaitReason.RETRY_AFTER: "the provider's Retry-After",
    WaitReason.BREAKER_OPEN: "breaker open",
    WaitReason.RATE_LIMIT: "rate limit",
    WaitReason.NO_ROOM: "no room: slow sends occupy all places",
    **_HELD,
}

_ENDINGS = {
    DeliveryState.CONFIRMED: ("confirmed", "confirmed by the client", "ok"),
    DeliveryState.FAILED: ("failed", "failed", "error"),
    DeliveryState.SKIPPED: ("skipped", "skipped", "info"),
    DeliveryState.CANCELLED: ("cancelled", "cancelled: no longer needed", "info"),
    DeliveryState.EXPIRED: ("expired", "expired", "warn"),
    DeliveryState.UNKNOWN: ("unknown", "outcome unknown", "warn"),
}


def _attempt(row: Delivery, attempt: Attempt, name: str) -> JsonObject:
    if attempt.outcome == AttemptOutcome.SENT:
        if row.channel == Channel.WEB:
            text = f"pushed to the page, which has {_seconds_left(row, attempt)} s to confirm{_wording(row)}"
            return _step(attempt.ended_at, "pushed", text, "info", row.channel)
        text = f"{name} accepted it in {attempt.latency_ms} ms{_wording(row)}"
        return _step(attempt.ended_at, "sent", text, "ok", row.channel)
    text = f"{name} try {attempt.number}: {attempt.outcome}"
    because = f", {attempt.error}" if attempt.error else ""
    return _step(attempt.ended_at, "attempt", text + because, "warn", row.channel)


def _wording(row: Delivery) -> str:
    """Return what the message was worded by; nothing of the shipped wordings."""
    version = row.template_version
    return "" if version is None else f"; wording: {version.template}, version {version.number}"


def _seconds_left(row: Delivery, attempt: Attempt) -> str:
    left = (row.ack_deadline - attempt.ended_at).total_seconds() if row.ack_deadline else 0.0
    return f"{left:.1f}"


def _told(at: datetime | int, state: str, code: str, channel: int | None, evidence: str) -> JsonObject:
    if state == EventState.DELIVERED and channel is not None:
        text = f"final ack: DELIVERED via {Channel(channel).name}, evidence {evidence.upper()}"
        return _step(at, "final", text, "ok", channel)
    return _step(at, "final", f"final ack: ACK_ERROR {code}", "error")
