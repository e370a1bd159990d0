"""Routing by preferences per type and channel alone, as it was before groups, mutes and hours: a measure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from notifications.events import Address, ChannelChoice, Recipient
from notifications.states import Channel, Priority, SkipReason, Verdict
from notifications.transports.spec import ChannelSpec
from notifications.wishes import Preference


@dataclass(frozen=True, slots=True)
class PlanStep:
    channel: Channel
    destination_id: int | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    channel: Channel
    verdict: Verdict
    reason: str
    destination_id: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    steps: tuple[PlanStep, ...] = ()
    trace: tuple[Decision, ...] = ()


def route(
    *,
    event_type: str,
    priority: Priority,
    requested: tuple[ChannelChoice, ...],
    recipient: Recipient,
    online: bool,
    channels: Mapping[Channel, ChannelSpec],
    default_order: tuple[ChannelChoice, ...],
) -> Plan:
    """Return the plan of one event over the registered `channels`, whose default order is `default_order`.

    The order is the producer's list if there is one, else the recipient's, else the default. A channel that
    the recipient has disabled is never used. An INFORMATIONAL event has at most a WEB step.
    """
    preferences = _applicable(recipient.preferences, event_type)
    trace: list[Decision] = []
    steps: list[PlanStep] = []
    for choice in _resolve_active(
        requested or _recipients_order(preferences, default_order), recipient, online, trace
    ):
        for decision in _evaluate(choice, priority, preferences, recipient, online, channels):
            if decision in trace:  # the producer named this channel twice
                continue
            trace.append(decision)
            if decision.verdict is Verdict.CHOSEN:
                steps.append(PlanStep(decision.channel, decision.destination_id))
    return Plan(tuple(steps), tuple(trace))


def _applicable(preferences: Iterable[Preference], event_type: str) -> dict[Channel, Preference]:
    """Return one preference per channel; the one for the event's own type wins."""
    chosen: dict[Channel, Preference] = {}
    for preference in preferences:
        if preference.event_type == event_type or (
            not preference.event_type and preference.channel not in chosen
        ):
            chosen[preference.channel] = preference
    return chosen


def _recipients_order(
    preferences: dict[Channel, Preference], default_order: tuple[ChannelChoice, ...]
) -> tuple[ChannelChoice, ...]:
    """Sort by the recipient's positions; a channel without a preference has its default place."""

    def rank(place: tuple[int, ChannelChoice]) -> int:
        default, choice = place
        preference = preferences.get(choice.channel)
        return preference.position if preference else default

    if not preferences:
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


def _evaluate(
    choice: ChannelChoice,
    priority: Priority,
    preferences: dict[Channel, Preference],
    recipient: Recipient,
    online: bool,
    channels: Mapping[Channel, ChannelSpec],
) -> list[Decision]:
    """Return the decision on one channel, or one for each of the recipient's addresses on it."""
    channel = choice.channel
    preference = preferences.get(channel)
    if preference is not None and not preference.enabled:
        return [Decision(channel, Verdict.SKIPPED, SkipReason.SWITCHED_OFF)]
    spec = channels.get(channel)
    if spec is not None and spec.address is None:
        verdict = (Verdict.CHOSEN, "online") if online else (Verdict.SKIPPED, SkipReason.NO_SESSION)
        return [Decision(channel, *verdict)]
    if priority is Priority.INFORMATIONAL:
        return [Decision(channel, Verdict.SKIPPED, SkipReason.LIVE_ONLY)]
    if spec is None or spec.transport is None:
        return [Decision(channel, Verdict.SKIPPED, SkipReason.UNSUPPORTED)]
    addresses = [address for address in recipient.addresses if address.channel is channel]
    if not addresses:
        return [Decision(channel, Verdict.SKIPPED, SkipReason.NO_DESTINATION)]
    return [_evaluate_address(address, choice.only_if_active) for address in addresses]


def _evaluate_address(address: Address, only_if_active: bool) -> Decision:
    if address.disabled_reason:
        return Decision(address.channel, Verdict.SKIPPED, f"disabled: {address.disabled_reason}", address.id)
    if not address.verified:
        return Decision(address.channel, Verdict.SKIPPED, SkipReason.UNVERIFIED, address.id)
    if only_if_active and not address.active:
        return Decision(address.channel, Verdict.SKIPPED, SkipReason.NOT_ACTIVE, address.id)
    return Decision(address.channel, Verdict.CHOSEN, "usable", address.id)
