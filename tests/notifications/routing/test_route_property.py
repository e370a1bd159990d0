"""No combination of wishes loses a CRITICAL event, lets it wait for others, or sends what is switched off.

What is on, muted, quiet and collected is judged by code that shares nothing with the product's.
"""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from datetime import datetime

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from notifications.events import Address, ChannelChoice, Plan, PlanStep, Recipient
from notifications.routing.route import route
from notifications.states import Channel, Priority
from notifications.transports.registry import BUILT_IN
from notifications.wishes import Digest, Group, Mute, Policy, Preference, RuleSet, Wishes
from tests.notifications.routing.clocks import CLOCKS, NIGHTS, QUARTER, SPANS, TIMES, quarters_of
from users.digest_modes import DigestMode

WEB, TELEGRAM, EMAIL = Channel.WEB, Channel.TELEGRAM, Channel.EMAIL
SUPPORTED = {spec.channel: spec for spec in BUILT_IN}
GROUP_OF = {"SIGN_IN": 1, "ORDER_FILLED": 2, "ORDER_FAILED": 2, "PRICE": 3, "NEWS": None}
GROUPS = (
    Group(1, "security", ("SIGN_IN",), mandatory=True),
    Group(2, "orders", ("ORDER_*",)),
    Group(3, "prices", ("PRICE",), may_opt_out=True),
)
TYPES, CHANNELS = st.sampled_from(sorted(GROUP_OF)), st.sampled_from([WEB, TELEGRAM, EMAIL])
SCOPES = st.one_of(
    st.just(("", None)), st.tuples(TYPES, st.none()), st.tuples(st.just(""), st.integers(1, 3))
)


def rules(scopes):
    made = st.tuples(scopes, CHANNELS, st.integers(0, 3), st.booleans(), st.sampled_from(Priority))
    unique = st.lists(made, max_size=5, unique_by=lambda rule: (rule[0], rule[1]))
    return unique.map(
        lambda found: tuple(
            Preference(of[0], channel, position, enabled, of[1], least)
            for of, channel, position, enabled, least in found
        )
    )


ADDRESSES = st.lists(
    st.builds(
        Address,
        st.integers(1, 5),
        st.sampled_from([TELEGRAM, EMAIL]),
        st.booleans(),
        st.sampled_from(["", "gone"]),
    ),
    max_size=4,
    unique_by=lambda address: address.id,
).map(tuple)
REQUESTED = st.lists(st.builds(ChannelChoice, CHANNELS), max_size=3).map(tuple)
MODES = st.sampled_from(sorted(DigestMode))
MUTES = st.lists(st.tuples(SCOPES, st.none() | st.integers(-20, 200)), max_size=2)


def digests(scopes):
    made = st.tuples(scopes, st.sampled_from([TELEGRAM, EMAIL]), MODES, st.integers(1, 96), TIMES)
    unique = st.lists(made, max_size=3, unique_by=lambda digest: (digest[0], digest[1]))
    return unique.map(
        lambda found: RuleSet(
            Digest(of[0], channel, mode, of[1], period * QUARTER, (at,), frozenset(range(7)))
            for of, channel, mode, period, at in found
        )
    )


def most_specific(rules_of_all, event_type, channel):
    """Return the most specific rule of the first who has one."""
    for rules_of_one in rules_of_all:
        for of in ((event_type, None), ("", GROUP_OF[event_type]), ("", None)):
            for rule in rules_of_one:
                if (rule.event_type, rule.group_id) == of and rule.channel == channel:
                    return rule
    return None


def is_off(rules_of_all, event_type, channel, priority) -> bool:
    rule = most_specific(rules_of_all, event_type, channel)
    return rule is not None and not (rule.enabled and priority >= rule.min_priority)


def applies(mute, event_type, now) -> bool:
    of_this = (mute.event_type, mute.group_id) in {(event_type, None), ("", GROUP_OF[event_type]), ("", None)}
    return of_this and (mute.until is None or mute.until > now)


@dataclass(frozen=True)
class Case:
    """What was wished, and what the plan makes of it."""

    plan: Plan
    event_type: str
    priority: Priority
    now: datetime
    expires_in: int | None
    muted: bool
    mutes: tuple[Mute, ...]
    usable: frozenset[int]
    clock: Sequence[tuple[datetime, datetime]]  # moment, and what the clock on the wall says
    silent: Container[datetime]
    open_: Container[datetime]
    has_windows: bool
    digests: tuple[RuleSet, RuleSet]

    @property
    def mandatory(self) -> bool:
        return self.event_type == "SIGN_IN"

    @property
    def sent(self) -> set[int]:
        return {step.destination_id for step in self.plan.steps if step.destination_id is not None}

    @property
    def collected(self) -> set[int | None]:
        return {step.destination_id for step in self.plan.steps if step.hold_reason == "digest"}

    @property
    def alone(self) -> list[PlanStep]:
        """Return the steps that no digest takes."""
        return [step for step in self.plan.steps if step.destination_id not in self.collected]

    @property
    def lost(self) -> set[str]:
        """Return why usable addresses are not in the plan."""
        left_out = self.usable - self.sent
        return {line.reason for line in self.plan.trace if line.destination_id in left_out}

    def is_closed(self, moment: datetime) -> bool:
        return moment in self.silent or (self.has_windows and moment not in self.open_)

    def may_begin(self, moment: datetime) -> bool:
        """Return whether a held step may begin then: later, at an open time, and before the event expires."""
        is_open = moment > self.clock[-1][0] or not self.is_closed(moment)
        lives = self.expires_in is None or moment < self.now + self.expires_in * QUARTER
        return moment > self.now and is_open and lives


def check_digests(case: Case) -> None:
    assert not case.collected or case.priority is not Priority.CRITICAL, "a CRITICAL event waits for others"
    for step in case.plan.steps:
        digest = most_specific(case.digests, case.event_type, step.channel)
        waits = digest is not None and digest.mode in {"interval", "schedule"}
        if step.destination_id in case.collected:
            assert waits, "nobody wishes it in a digest"
            assert case.may_begin(step.hold_until)
        elif (
            step.destination_id
            and waits
            and case.priority is not Priority.CRITICAL
            and case.expires_in is None
        ):
            never = all(case.is_closed(moment) for moment, _ in case.clock)
            assert never, "it does not wait for the others of its digest"


def check_nothing_is_held(case: Case) -> None:
    assert case.mandatory or case.sent == case.usable, "an event lost a channel"
    assert not any(step.hold_until for step in case.alone)


def check_what_waits(case: Case) -> None:
    """It is muted, or its time is not yet."""
    assert case.plan.silent
    waits = {step.hold_until for step in case.alone if step.destination_id is not None}
    assert None not in waits and len(waits) <= 1
    assert all(map(case.may_begin, waits))
    assert case.lost <= {"muted", "never_open", "expires_while_held"} or case.mandatory
    if case.priority is Priority.CRITICAL and "muted" in case.lost:
        assert any(applies(mute, case.event_type, case.now) and mute.until is None for mute in case.mutes)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(NIGHTS), st.integers(0, 64), TYPES, st.sampled_from(Priority), st.booleans(), REQUESTED,
    ADDRESSES, rules(SCOPES), rules(st.sampled_from([("", None), ("", 1), ("", 2), ("", 3)])),
    MUTES, SPANS, SPANS, st.frozensets(st.integers(1, 3)), st.none() | st.integers(1, 300),
    digests(SCOPES), digests(st.sampled_from([("", None), ("", 1), ("", 2), ("", 3)])),
)  # fmt: skip
def test_whatever_is_wished(
    night, offset, event_type, priority, online, requested, addresses, own, defaults,
    mutes, quiet, windows, opted_out, expires_in, own_digests, default_digests,
) -> None:  # fmt: skip
    now = night[1] + offset * QUARTER
    wished = tuple(Mute(None if ends is None else now + ends * QUARTER, *of) for of, ends in mutes)
    plan = route(
        event_type=event_type,
        priority=priority,
        requested=requested,
        recipient=Recipient(
            7, "ada", night[0], "en", addresses, RuleSet(own),
            Wishes(wished, (), quiet, windows, opted_out, own_digests),
            Policy(GROUPS, RuleSet(defaults), default_digests),
        ),
        online=online,
        channels=SUPPORTED,
        default_order=tuple(map(ChannelChoice, SUPPORTED)),
        now=now,
        expires_at=None if expires_in is None else now + expires_in * QUARTER,
    )  # fmt: skip
    mandatory = event_type == "SIGN_IN"
    asked = {choice.channel for choice in requested} or {WEB, TELEGRAM, EMAIL}
    working = {
        a.id: a.channel for a in addresses if a.verified and not a.disabled_reason and a.channel in asked
    }
    on = {c for c in Channel if mandatory or not is_off((own, defaults), event_type, c, priority)}
    stored = priority is not Priority.INFORMATIONAL
    usable = frozenset(pk for pk, channel in working.items() if channel in on and stored)
    muted = not mandatory and any(applies(mute, event_type, now) for mute in wished)
    clock = CLOCKS[night]
    case = Case(
        plan, event_type, priority, now, expires_in, muted, wished, usable, clock,
        quarters_of(quiet, clock), quarters_of(windows, clock), bool(windows), (own_digests, default_digests),
    )  # fmt: skip

    assert case.sent <= usable, "sent on a channel that is off"
    assert not any(step.channel is WEB and (WEB not in on or not online) for step in plan.steps)
    assert case.sent or not (mandatory and usable) or case.lost <= {"never_open", "expires_while_held"}
    check_digests(case)
    if priority is Priority.CRITICAL and not (event_type == "PRICE" and 3 in opted_out):
        check_nothing_is_held(case)
        assert (plan.pierces is not None) == (muted or case.is_closed(now)), "it says so, and only then"
        return
    assert plan.pierces is None
    if muted and priority is not Priority.CRITICAL:
        assert not case.sent, "muted"
    (check_what_waits if muted or case.is_closed(now) else check_nothing_is_held)(case)
