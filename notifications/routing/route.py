"""Which channels an event will use, in which order, why others are skipped, and what has to wait.

Pure: no I/O and no clock. The caller passes the recipient, their presence and the registered channels.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from notifications.events import Address, ChannelChoice, Decision, Plan, PlanStep, Recipient
from notifications.routing import digests, rules
from notifications.routing.rules import Rules
from notifications.routing.timing import Timing, timing
from notifications.states import Channel, HoldReason, Priority, SkipReason, Verdict
from notifications.transports.spec import ChannelSpec
from notifications.wishes import Preference


class _Event(NamedTuple):
    """What the decisions on all channels have in common."""

    priority: Priority
    recipient: Recipient
    online: bool
    timing: Timing
    requested: tuple[ChannelChoice, ...]
    channels: Mapping[Channel, ChannelSpec]
    default_order: tuple[ChannelChoice, ...]
    usable: str  # the reason in the trace for which an address is chosen
    event_type: str
    now: datetime
    expires_at: datetime | None
    collected: digests.Digests  # which digest it goes with, of each channel


# Each event compares with these several times, and a look into an enum takes longer than that.
_CHOSEN, _SKIPPED, _HELD = Verdict.CHOSEN, Verdict.SKIPPED, Verdict.HELD
_INFORMATIONAL, _DIGEST, _WEB = Priority.INFORMATIONAL, HoldReason.DIGEST, Channel.WEB

_PIERCES = {reason: f"pierces {reason}" for reason in HoldReason}


def route(
    *,
    event_type: str,
    priority: Priority,
    requested: tuple[ChannelChoice, ...],
    recipient: Recipient,
    online: bool,
    channels: Mapping[Channel, ChannelSpec],
    default_order: tuple[ChannelChoice, ...],
    now: datetime,
    expires_at: datetime | None = None,
    throttled_until: datetime | None = None,
) -> Plan:
    """Return the plan of one event over the registered `channels`, whose default order is `default_order`.

    The order is the producer's list if there is one, else the recipient's, else the operator's, else the
    default. A channel that the recipient has disabled is never used, but for a mandatory type that would
    reach no address otherwise. An INFORMATIONAL event has at most a WEB step.

    `expires_at`: as the producer set it. `throttled_until`: enough events of this type were sent until then.
    """
    policy = recipient.policy
    group = policy.group_of(event_type) if policy.groups else None
    when = timing(event_type, priority, group, recipient, now, expires_at, throttled_until)
    usable = "usable" if when.pierces is None else _PIERCES[when.pierces]
    group_id = group.id if group else None
    collected = digests.of_channels(event_type, priority, group_id, recipient)
    event = _Event(
        priority, recipient, online, when, requested, channels, default_order, usable, event_type, now,
        expires_at, collected,
    )  # fmt: skip
    own = recipient.preferences.of_channels(event_type, group_id)
    defaults = policy.defaults.of_channels(event_type, group_id)
    plan = _plan(event, defaults | own if defaults else own)
    return _mandatory(plan, event, defaults) if group is not None and group.mandatory else plan


def _mandatory(plan: Plan, event: _Event, defaults: Rules) -> Plan:
    """Return the plan, or if it reaches no address, one by the operator's rules, or one without any rule."""
    mandatory = event._replace(usable="mandatory")
    for fewer in (defaults, Rules()):
        if _reaches(plan, event.priority):
            break
        wider = _plan(mandatory, fewer)
        plan = wider if _reaches(wider, event.priority) else plan
    return plan


def _reaches(plan: Plan, priority: Priority) -> bool:
    """Tell whether the plan has an address: a page may be closed. An INFORMATIONAL event has only pages."""
    return any(step.destination_id is not None or priority is _INFORMATIONAL for step in plan.steps)


def _plan(event: _Event, of_channels: Rules) -> Plan:
    trace: list[Decision] = []
    steps: list[PlanStep] = []
    for choice in _choices(event, of_channels, trace):
        for decision in _evaluate(choice, event, of_channels.get(choice.channel)):
            if event.requested and decision in trace:  # the producer named this channel twice
                continue
            trace.append(decision)
            channel, verdict, _, pk, _ = decision
            if verdict is not _CHOSEN:
                continue
            hold, until = _hold(channel, pk, event)
            steps.append(PlanStep(channel, pk, until, hold))
            if hold is not None:
                trace.append(Decision(channel, _HELD, hold, pk, until))
    web = of_channels.get(_WEB)
    silent = event.timing.silent or (web is not None and rules.unwanted(web, event.priority) is not None)
    return Plan(tuple(steps), tuple(trace), silent, event.timing.pierces)


def _hold(channel: Channel, pk: int | None, event: _Event) -> tuple[HoldReason | None, datetime | None]:
    """Return why the step is held, and until when. A page gets it at once, if need be silently."""
    if pk is None:
        return None, None
    digest = event.collected.get(channel)
    if digest is not None:
        until = digests.until(
            digest, event.recipient, event.event_type, pk, event.now, expires_at=event.expires_at
        )
        if until is not None:
            return _DIGEST, until
    return (None, None) if event.timing.hold is None else (event.timing.hold, event.timing.until)


def _choices(event: _Event, of_channels: Rules, trace: list[Decision]) -> Sequence[ChannelChoice]:
    """Return the channels to consider, in order."""
    if event.requested:
        return _resolve_active(event, trace)
    return rules.in_order(event.default_order, of_channels, lambda choice: choice.channel)


def _resolve_active(event: _Event, trace: list[Decision]) -> list[ChannelChoice]:
    """Replace ACTIVE_SESSION by the live channels: an open page, a chat the recipient just wrote in."""
    resolved: list[ChannelChoice] = []
    nothing = Decision(Channel.ACTIVE_SESSION, _SKIPPED, SkipReason.NO_SESSION)
    for choice in event.requested:
        if choice.channel is not Channel.ACTIVE_SESSION:
            resolved.append(choice)
            continue
        live = [_WEB] if event.online else []
        live += [address.channel for address in event.recipient.addresses if address.active]
        resolved += [ChannelChoice(channel, only_if_active=True) for channel in live]
        if not live and nothing not in trace:
            trace.append(nothing)
    return resolved


def _evaluate(choice: ChannelChoice, event: _Event, rule: Preference | None) -> list[Decision]:
    """Return the decision on one channel, or one for each of the recipient's addresses on it."""
    channel = choice.channel
    if rule is not None and (unwanted := rules.unwanted(rule, event.priority)):
        return [Decision(channel, _SKIPPED, unwanted)]
    spec = event.channels.get(channel)
    if spec is not None and spec.address is None:
        verdict = (_CHOSEN, "online") if event.online else (_SKIPPED, SkipReason.NO_SESSION)
        return [Decision(channel, *verdict)]
    if event.priority is _INFORMATIONAL:
        return [Decision(channel, _SKIPPED, SkipReason.LIVE_ONLY)]
    if spec is None or spec.transport is None:
        return [Decision(channel, _SKIPPED, SkipReason.UNSUPPORTED)]
    addresses = [address for address in event.recipient.addresses if address.channel is channel]
    if not addresses:
        return [Decision(channel, _SKIPPED, SkipReason.NO_DESTINATION)]
    return [_evaluate_address(address, choice.only_if_active, event) for address in addresses]


def _evaluate_address(address: Address, only_if_active: bool, event: _Event) -> Decision:
    channel, pk, when = address.channel, address.id, event.timing
    if address.disabled_reason:
        return Decision(channel, _SKIPPED, f"disabled: {address.disabled_reason}", pk)
    if not address.verified:
        return Decision(channel, _SKIPPED, SkipReason.UNVERIFIED, pk)
    if only_if_active and not address.active:
        return Decision(channel, _SKIPPED, SkipReason.NOT_ACTIVE, pk)
    if when.skip is not None:
        return Decision(channel, _SKIPPED, when.skip, pk, when.until)
    return Decision(channel, _CHOSEN, event.usable, pk)
