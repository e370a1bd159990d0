"""The timeline of one event, from its rows: every decision, attempt and outcome."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal

from typing_extensions import TypedDict

from notifications.events import JsonObject
from notifications.live.frames import stored_content, to_ms
from notifications.models import Attempt, Delivery, Event
from notifications.rendering.locales import gettext
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
from users.locales import gettext_noop

_SKIPPED: dict[str, str] = {
    SkipReason.NO_SESSION: gettext_noop("no page is open"),
    SkipReason.NO_DESTINATION: gettext_noop("the person has no address there"),
    SkipReason.UNVERIFIED: gettext_noop("the address is not verified"),
    SkipReason.SWITCHED_OFF: gettext_noop("the person has switched it off"),
    SkipReason.NOT_ACTIVE: gettext_noop("only if active, and it is not"),
    SkipReason.UNSUPPORTED: gettext_noop("no transport sends there yet"),
    SkipReason.LIVE_ONLY: gettext_noop("informational events go to open pages only"),
    SkipReason.BELOW_PRIORITY: gettext_noop("the person wants more urgent events there"),
    SkipReason.MUTED: gettext_noop("the person has muted it"),
    SkipReason.THROTTLED: gettext_noop("enough of this type were sent"),
    SkipReason.EXPIRES_WHILE_HELD: gettext_noop("it expires before the person wants it sent"),
    SkipReason.NEVER_OPEN: gettext_noop("quiet hours and send windows leave no time"),
}

_HELD: dict[str, str] = {
    HoldReason.QUIET_HOURS: gettext_noop("quiet hours"),
    HoldReason.SEND_WINDOW: gettext_noop("outside the person's send windows"),
    HoldReason.MUTED: gettext_noop("muted, and it does not pierce"),
    HoldReason.DIGEST: gettext_noop("it goes together with others"),
    WaitReason.ORDER: gettext_noop("an earlier event of its key has not ended"),
}


Level = Literal["info", "ok", "warn", "error"]


class TimelineStep(TypedDict):
    at: int
    kind: str
    text: str
    level: Level
    channel: str | None


def timeline(event: Event, deliveries: Iterable[Delivery]) -> list[TimelineStep]:
    """Return the steps of an event, oldest first.

    `deliveries` come with their `tries` prefetched.
    """
    steps = [_step(event.accepted_at, "accepted", gettext("accepted as seq %(seq)d") % {"seq": event.seq})]
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
        steps.append(
            _step(event.confirmed_at, "confirmed", gettext("the page confirmed it late"), "ok", Channel.WEB)
        )
    if event.final_at is not None:
        at = event.final_at
        steps.append(_told(at, event.state, event.code, event.delivered_via, _evidence_at_the_end(event)))
    if event.acknowledged_at is not None:
        text = gettext("the person acknowledged it, evidence HUMAN")
        pressed = (row.channel for row in rows if row.ended_at == event.acknowledged_at and _was_pressed(row))
        steps.append(_step(event.acknowledged_at, "acknowledged", text, "ok", next(pressed, Channel.WEB)))
    return sorted(steps, key=lambda step: step["at"])


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
    at: datetime | int, kind: str, text: str, level: Level = "info", channel: int | None = None
) -> TimelineStep:
    name = None if channel is None else Channel(channel).name
    at_ms = at if isinstance(at, int) else to_ms(at)
    return {"at": at_ms, "kind": kind, "text": text, "level": level, "channel": name}


def _replayed(end: JsonObject) -> list[TimelineStep]:
    """Return the end of an acceptance, and the replay that followed it."""
    text = gettext("accepted again by replay %(id)s") % {"id": end["replay_id"]}
    text += gettext(", forced: a possible duplicate") if end["forced"] else ""
    return [
        _told(end["final_at"], end["state"], end["code"], end["delivered_via"], end["evidence"]),
        _step(end["replayed_at"], "replayed", text),
    ]


def _routed(event: Event, line: dict[str, Any]) -> TimelineStep:
    name = Channel(line["channel"]).name
    replay = line.get("replay", 0)
    at: datetime | int = event.history[replay - 1]["replayed_at"] if replay else event.accepted_at
    if "at" in line:  # found before a send, after the routing
        at = datetime.fromisoformat(line["at"])
    if line["verdict"] == Verdict.CHOSEN:
        because = f": it {line['reason']}" if line["reason"].startswith("pierces") else ""
        text = gettext("%(channel)s chosen") % {"channel": name}
        return _step(at, "routed", text + because, "info", line["channel"])
    values = {"channel": name, "until": _until(line)}
    if "by" in line:
        text = gettext("superseded by %(by)s, version %(version)s")
        return _step(at, "superseded", text % {"by": line["by"], "version": line["version"]})
    if "behind" in line:
        text = gettext("%(channel)s waits for %(event)s: %(reason)s")
        values |= {"event": line["behind"], "reason": gettext(_HELD[line["reason"]])}
        return _step(at, "held", text % values, "info", line["channel"])
    if line["verdict"] == Verdict.HELD:
        text = gettext("%(channel)s held%(until)s: %(reason)s")
        return _step(
            at, "held", text % {**values, "reason": gettext(_HELD[line["reason"]])}, "info", line["channel"]
        )
    if line["verdict"] == Verdict.MERGED:
        text = gettext("%(channel)s: sent as one of %(count)d in the message of delivery %(into)s")
        merged = {"channel": name, "count": line["count"], "into": line["into"]}
        return _step(at, "merged", text % merged, "info", line["channel"])
    reason = gettext(_SKIPPED[line["reason"]]) if line["reason"] in _SKIPPED else line["reason"]
    text = gettext("%(channel)s skipped%(until)s: %(reason)s") % {**values, "reason": reason}
    return _step(at, "skipped", text, "info", line["channel"])


def _until(line: dict[str, Any]) -> str:
    if "until" not in line:
        return ""
    at = f"{datetime.fromisoformat(line['until']):%Y-%m-%d %H:%M:%S} UTC"
    return gettext(" until %(time)s") % {"time": at}


def _delivery_steps(row: Delivery, *, first: bool) -> list[TimelineStep]:
    name = Channel(row.channel).name
    steps = []
    if not first:
        steps.append(
            _step(
                row.created_at,
                "next",
                gettext("next channel: %(channel)s") % {"channel": name},
                "info",
                row.channel,
            )
        )
    steps += [_attempt(row, attempt, name) for attempt in row.tries.all()]
    by_wish = row.held_until == row.not_before  # the trace tells of it
    if row.waiting_since is not None and row.not_before > row.waiting_since and not by_wish:
        text = gettext("waiting for %(channel)s until %(time)s UTC: %(reason)s") % {
            "channel": name,
            "time": f"{row.not_before:%Y-%m-%d %H:%M:%S}",
            "reason": gettext(_WAITS[row.wait_reason]),
        }
        steps.append(_step(row.waiting_since, "waiting", text, "warn", row.channel))
    ending = _ENDINGS.get(DeliveryState(row.state))
    if _was_pressed(row) and row.ended_at is not None:
        text = gettext("the button of %(channel)s's message was pressed") % {"channel": name}
        steps.append(_step(row.ended_at, "confirmed", text, "ok", row.channel))
    elif ending and row.ended_at is not None:
        kind, text, level = ending[0], gettext(ending[1]), ending[2]
        if row.failure_kind != FailureKind.UNCONFIRMED:
            because = f": {row.error}" if row.error else ""
            return [*steps, _step(row.ended_at, kind, f"{name} {text}{because}", level, row.channel)]
        late = row.state == DeliveryState.CONFIRMED
        missed_at = row.ack_deadline if late and row.ack_deadline else row.ended_at
        text = gettext("%(channel)s did not confirm in time") % {"channel": name}
        steps.append(_step(missed_at, "unconfirmed", text, "error", row.channel))
        if late:
            steps.append(
                _step(row.ended_at, "confirmed", gettext("the page confirmed it late"), level, row.channel)
            )
    return steps


# The last wait on a channel; its earlier ones are not kept.
_WAITS: dict[str, str] = {
    WaitReason.RETRY: gettext_noop("a send failed, another will follow"),
    WaitReason.RETRY_AFTER: gettext_noop("the provider's Retry-After"),
    WaitReason.BREAKER_OPEN: gettext_noop("breaker open"),
    WaitReason.RATE_LIMIT: gettext_noop("rate limit"),
    WaitReason.NO_ROOM: gettext_noop("no room: slow sends occupy all places"),
    **_HELD,
}

_ENDINGS: dict[DeliveryState, tuple[str, str, Level]] = {
    DeliveryState.CONFIRMED: ("confirmed", gettext_noop("confirmed by the client"), "ok"),
    DeliveryState.FAILED: ("failed", gettext_noop("failed"), "error"),
    DeliveryState.SKIPPED: ("skipped", gettext_noop("skipped"), "info"),
    DeliveryState.CANCELLED: ("cancelled", gettext_noop("cancelled: no longer needed"), "info"),
    DeliveryState.EXPIRED: ("expired", gettext_noop("expired"), "warn"),
    DeliveryState.UNKNOWN: ("unknown", gettext_noop("outcome unknown"), "warn"),
}


def _attempt(row: Delivery, attempt: Attempt, name: str) -> TimelineStep:
    if attempt.outcome == AttemptOutcome.SENT:
        if row.channel == Channel.WEB:
            text = gettext("pushed to the page, which has %(left)s s to confirm")
            text = text % {"left": _seconds_left(row, attempt)} + _wording(row)
            return _step(attempt.ended_at, "pushed", text, "info", row.channel)
        text = gettext("%(channel)s accepted it in %(ms)s ms") % {"channel": name, "ms": attempt.latency_ms}
        return _step(attempt.ended_at, "sent", text + _wording(row), "ok", row.channel)
    text = gettext("%(channel)s try %(number)d: %(outcome)s") % {
        "channel": name,
        "number": attempt.number,
        "outcome": attempt.outcome,
    }
    because = f", {attempt.error}" if attempt.error else ""
    return _step(attempt.ended_at, "attempt", text + because, "warn", row.channel)


def _wording(row: Delivery) -> str:
    """Return what the message was worded by; nothing of the shipped wordings."""
    version = row.template_version
    if version is None:
        return ""
    text = gettext("; wording: %(template)s, version %(number)d")
    return text % {"template": version.template, "number": version.number}


def _seconds_left(row: Delivery, attempt: Attempt) -> str:
    left = (row.ack_deadline - attempt.ended_at).total_seconds() if row.ack_deadline else 0.0
    return f"{left:.1f}"


def _told(at: datetime | int, state: str, code: str, channel: int | None, evidence: str) -> TimelineStep:
    if state == EventState.DELIVERED and channel is not None:
        values = {"channel": Channel(channel).name, "evidence": evidence.upper()}
        text = gettext("final ack: DELIVERED via %(channel)s, evidence %(evidence)s") % values
        return _step(at, "final", text, "ok", channel)
    return _step(at, "final", gettext("final ack: ACK_ERROR %(code)s") % {"code": code}, "error")
