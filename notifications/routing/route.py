"""Which channels an event will use, in which order, why others are skipped, and what has to wait.

Pure: no I/O and no clock. The caller passes the recipient, their presence and the registered channels.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from notifications.events import Address, ChannelChoice, Decision, Plan, PlanStep, Recipient
from notifications.routing import rules
from notifications.routing.rules import Rules
from notifications.routing.timing import Timing, timing
from notifications.states import Channel, Priority, SkipReason, Verdict
from notifications.transports.spec import ChannelSpec
from notifications.wishes import Preference


@dataclass(frozen=True, slots=True)
class _Event:
    """What the decisions on all channels have in common."""

    priority: Priority
    recipient: Recipient
    online: bool
    timing: Timing
    requested: tuple[ChannelChoice, ...]
    channels: Mapping[Channel, ChannelSpec]
    default_order: tuple[ChannelChoice, ...]
    usable: str = "usable"  # the reason in the trace for which an address is chosen


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
    group = rules.group_of(recipient.policy, event_type) if recipient.policy.groups else None
    when = timing(
        event_type,
        priority,
        group,
        recipient,
        now=now,
        expires_at=expires_at,
        throttled_until=throttled_until,
    )
    event = _Event(priority, recipient, online, when, requested, channels, default_order)
    group_id = group.id if group else None
    defaults = rules.of_channels(recipient.policy.defaults, event_type, group_id)
    plan = _plan(event, defaults | rules.of_channels(recipient.preferences, event_type, group_id))
    return _mandatory(plan, event, defaults) if group is not None and group.mandatory else plan


def _mandatory(plan: Plan, event: _Event, defaults: Rules) -> Plan:
    """Return the plan, or if it reaches no address, one by the operator's rules, or one without any rule."""
    mandatory = replace(event, usable="mandatory")
    for fewer in (defaults, Rules()):
        if _reaches(plan, event.priority):
            break
        wider = _plan(mandatory, fewer)
        plan = wider if _reaches(wider, event.priority) else plan
    return plan


def _reaches(plan: Plan, priority: Priority) -> bool:
    """Tell whether the plan has an address: a page may be closed. An INFORMATIONAL event has only pages."""
    return any(step.destination_id is not None or priority is Priority.INFORMATIONAL for step in plan.steps)


def _plan(event: _Event, of_channels: Rules) -> Plan:
    trace: list[Decision] = []
    steps: list[PlanStep] = []
    order = event.requested or _order(of_channels, event.default_order)
    for choice in _resolve_active(order, event.recipient, event.online, trace):
        for decision in _evaluate(choice, event, of_channels.get(choice.channel)):
            if decision in trace:  # the producer named this channel twice
                continue
            trace.append(decision)
            if decision.verdict is Verdict.CHOSEN:
                steps.append(_step(decision, event.timing, trace))
    web = of_channels.get(Channel.WEB)
    silent = event.timing.silent or (web is not None and _unwanted(web, event.priority) is not None)
    return Plan(tuple(steps), tuple(trace), silent, event.timing.pierces)


def _step(decision: Decision, when: Timing, trace: list[Decision]) -> PlanStep:
    """Return the step of a chosen channel, and trace its hold. A page gets its event at once, silently."""
    if when.hold is None or decision.destination_id is None:
        return PlanStep(decision.channel, decision.destination_id)
    held = Decision(decision.channel, Verdict.HELD, when.hold, decision.destination_id, when.until)
    trace.append(held)
    return PlanStep(decision.channel, decision.destination_id, when.until, when.hold)


def _order(of_channels: Rules, default_order: tuple[ChannelChoice, ...]) -> tuple[ChannelChoice, ...]:
    """Sort by the positions of the rules; a channel without one has its default place."""

    def rank(place: tuple[int, ChannelChoice]) -> int:
        default, choice = place
        rule = of_channels.get(choice.channel)
        return rule.position if rule else default

    if not of_channels:
        return default_order
    return tuple(choice for _, choice in sorted(enumerate(default_order), key=rank))


def _resolve_active(
    choices: Iterable[ChannelChoice], recipient: Recipient, online: bool, trace: list[Decision]
) -> list[ChannelChoice]:
    """Replace ACTIVE_SESSION by the live channels: an open page, a chat the recipient just wrote in."""
    resolved: list[ChannelChoice] = []
    nothing = Decision(Channel.ACTIVE_SESSION, Verdict.SKIPPED, SkipReason.NO_SESSION)
    for choice in choices:
        if choice.channel is not Channel.ACTIVE_SESSION:
            resolved.append(choice)
            continue
        live = [Channel.WEB] if online else []
        live += [address.channel for address in recipient.addresses if address.active]
        resolved += [ChannelChoice(channel, only_if_active=True) for channel in live]
        if not live and nothing not in trace:
            trace.append(nothing)
    return resolved


def _unwanted(rule: Preference, priority: Priority) -> SkipReason | None:
    """Return why the rule keeps an event off its channel, or None."""
    if not rule.enabled:
        return SkipReason.SWITCHED_OFF
    return SkipReason.BELOW_PRIORITY if priority < rule.min_priority else None


def _evaluate(choice: ChannelChoice, event: _Event, rule: Preference | None) -> list[Decision]:
    """Return the decision on one channel, or one for each of the recipient's addresses on it."""
    channel = choice.channel
    if rule is not None and (unwanted := _unwanted(rule, event.priority)):
        return [Decision(channel, Verdict.SKIPPED, unwanted)]
    spec = event.channels.get(channel)
    if spec is not None and spec.address is None:
        verdict = (Verdict.CHOSEN, "online") if event.online else (Verdict.SKIPPED, SkipReason.NO_SESSION)
        return [Decision(channel, *verdict)]
    if event.priority is Priority.INFORMATIONAL:
        return [Decision(channel, Verdict.SKIPPED, SkipReason.LIVE_ONLY)]
    if spec is None or spec.transport is None:
        return [Decision(channel, Verdict.SKIPPED, SkipReason.UNSUPPORTED)]
    addresses = [address for address in event.recipient.addresses if address.channel is channel]
    if not addresses:
        return [Decision(channel, Verdict.SKIPPED, SkipReason.NO_DESTINATION)]
    return [_evaluate_address(address, choice.only_if_active, event) for address in addresses]


def _evaluate_address(address: Address, only_if_active: bool, event: _Event) -> Decision:
    def skipped(reason: str, until: datetime | None = None) -> Decision:
        return Decision(address.channel, Verdict.SKIPPED, reason, address.id, until)

    if address.disabled_reason:
        return skipped(f"disabled: {address.disabled_reason}")
    if not address.verified:
        return skipped(SkipReason.UNVERIFIED)
    if only_if_active and not address.active:
        return skipped(SkipReason.NOT_ACTIVE)
    if event.timing.skip is not None:
        return skipped(event.timing.skip, event.timing.until)
    return Decision(address.channel, Verdict.CHOSEN, event.usable, address.id)
