"""Which channels an event will try, in which order, and why the others are left out.

Pure: no I/O and no clock. The caller brings the person, who is online and the time.
"""

from collections.abc import Iterable

from notifications.events import Address, ChannelChoice, Decision, Plan, Preference, Recipient, Step
from notifications.states import Channel, Priority, SkipReason, Verdict

DEFAULT_ORDER = (Channel.WEB, Channel.TELEGRAM, Channel.EMAIL)
_DEFAULT_CHOICES = tuple(map(ChannelChoice, DEFAULT_ORDER))


def route(
    *,
    event_type: str,
    priority: Priority,
    requested: tuple[ChannelChoice, ...],
    recipient: Recipient,
    online: bool,
    supported: frozenset[Channel],
) -> Plan:
    """Return the plan of one event.

    The producer's ordered list decides where it gives one, else the person's order, else the default.
    What the person has switched off is never used. An INFORMATIONAL event only ever has a WEB step.
    """
    preferences = _applicable(recipient.preferences, event_type)
    trace: list[Decision] = []
    steps: list[Step] = []
    for choice in _resolve_active(requested or _recipients_order(preferences), recipient, online, trace):
        for decision in _evaluate(choice, priority, preferences, recipient, online, supported):
            if decision in trace:  # the producer named this channel twice
                continue
            trace.append(decision)
            if decision.verdict is Verdict.CHOSEN:
                steps.append(Step(decision.channel, decision.destination_id))
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


def _recipients_order(preferences: dict[Channel, Preference]) -> tuple[ChannelChoice, ...]:
    def rank(channel: Channel) -> tuple[int, int]:
        default = DEFAULT_ORDER.index(channel)
        preference = preferences.get(channel)
        return (preference.position if preference else default, default)

    if not preferences:
        return _DEFAULT_CHOICES
    return tuple(ChannelChoice(channel) for channel in sorted(DEFAULT_ORDER, key=rank))


def _resolve_active(
    choices: Iterable[ChannelChoice], recipient: Recipient, online: bool, trace: list[Decision]
) -> list[ChannelChoice]:
    """Replace ACTIVE_SESSION by what is live now: an open page, a chat the person just wrote in."""
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
    supported: frozenset[Channel],
) -> list[Decision]:
    """Return the decision on one channel, or one for each of the person's addresses on it."""
    channel = choice.channel
    preference = preferences.get(channel)
    if preference is not None and not preference.enabled:
        return [Decision(channel, Verdict.SKIPPED, SkipReason.SWITCHED_OFF)]
    if channel is Channel.WEB:
        verdict = (Verdict.CHOSEN, "online") if online else (Verdict.SKIPPED, SkipReason.NO_SESSION)
        return [Decision(channel, *verdict)]
    if priority is Priority.INFORMATIONAL:
        return [Decision(channel, Verdict.SKIPPED, SkipReason.LIVE_ONLY)]
    if channel not in supported:
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
