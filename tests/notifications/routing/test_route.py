"""Which channels an event uses, in which order, and why the others are skipped."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications.events import Address, ChannelChoice, Recipient
from notifications.routing.route import route
from notifications.states import Channel, Priority
from notifications.transports.registry import BUILT_IN
from notifications.wishes import Preference, RuleSet

WEB, TELEGRAM, EMAIL, ACTIVE = Channel.WEB, Channel.TELEGRAM, Channel.EMAIL, Channel.ACTIVE_SESSION
SUPPORTED = {spec.channel: spec for spec in BUILT_IN}
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
CHAT, MAIL = Address(1, TELEGRAM), Address(2, EMAIL)


def routed(*requested, addresses=(CHAT, MAIL), preferences=(), online=True, priority=Priority.NORMAL):
    return route(
        event_type="ORDER_FILLED",
        priority=priority,
        requested=tuple(requested),
        recipient=Recipient(7, "ada", addresses=tuple(addresses), preferences=RuleSet(preferences)),
        online=online,
        channels=SUPPORTED,
        default_order=tuple(map(ChannelChoice, SUPPORTED)),
        now=NOW,
    )


def chosen(plan):
    return [(step.channel, step.destination_id) for step in plan.steps]


def channels(plan):
    return [step.channel for step in plan.steps]


def skipped(plan):
    return [(line.channel, line.reason) for line in plan.trace if line.verdict == "skipped"]


def test_without_wishes_the_page_comes_first_then_telegram_then_email() -> None:
    assert chosen(routed()) == [(WEB, None), (TELEGRAM, 1), (EMAIL, 2)]


def test_the_producers_list_decides_the_order_against_the_persons(choose) -> None:
    preferences = [Preference("", WEB, 1), Preference("", EMAIL, 2)]
    assert channels(routed(*choose(EMAIL, TELEGRAM), preferences=preferences)) == [EMAIL, TELEGRAM]


def test_the_persons_order_decides_where_the_producer_gives_none() -> None:
    preferences = [Preference("", EMAIL, 1), Preference("", TELEGRAM, 2), Preference("", WEB, 3)]
    assert channels(routed(preferences=preferences)) == [EMAIL, TELEGRAM, WEB]


def test_equal_positions_keep_the_default_order() -> None:
    assert channels(routed(preferences=[Preference("", EMAIL, 0), Preference("", TELEGRAM, 0)])) == [
        WEB,
        TELEGRAM,
        EMAIL,
    ]


@pytest.mark.parametrize("reverse", [False, True])
def test_the_preference_for_the_events_own_type_wins_wherever_it_stands(reverse) -> None:
    preferences = [Preference("", EMAIL, 3, enabled=False), Preference("ORDER_FILLED", EMAIL, 0)]
    plan = routed(preferences=preferences[::-1] if reverse else preferences)
    assert EMAIL in channels(plan)


def test_a_preference_for_another_type_changes_nothing() -> None:
    assert routed(preferences=[Preference("RISK_ALERT", EMAIL, 0, enabled=False)]) == routed()


def test_what_the_person_has_switched_off_is_not_used_even_when_the_producer_asks(choose) -> None:
    off = [Preference("", TELEGRAM, enabled=False), Preference("ORDER_FILLED", WEB, enabled=False)]
    plan = routed(*choose(WEB, TELEGRAM, EMAIL), preferences=off, priority=Priority.CRITICAL)
    assert channels(plan) == [EMAIL]
    assert skipped(plan) == [(WEB, "switched_off"), (TELEGRAM, "switched_off")]


def test_the_page_is_skipped_when_none_is_open() -> None:
    plan = routed(online=False)
    assert channels(plan) == [TELEGRAM, EMAIL]
    assert skipped(plan) == [(WEB, "no_session")]


def test_an_active_session_is_the_open_page_and_the_chat_the_person_wrote_in(choose) -> None:
    plan = routed(*choose(ACTIVE), addresses=[Address(1, TELEGRAM, active=True), MAIL])
    assert chosen(plan) == [(WEB, None), (TELEGRAM, 1)]


def test_an_active_session_without_any_is_skipped_and_the_next_choice_is_used(choose) -> None:
    plan = routed(*choose(ACTIVE, EMAIL), online=False)
    assert chosen(plan) == [(EMAIL, 2)]
    assert skipped(plan) == [(ACTIVE, "no_session")]


def test_an_active_chat_that_is_disabled_is_no_session(choose) -> None:
    dead = Address(1, TELEGRAM, disabled_reason="blocked", active=True)
    plan = routed(*choose(ACTIVE), addresses=[dead], online=False)
    assert (plan.steps, skipped(plan)) == ((), [(TELEGRAM, "disabled: blocked")])


def test_only_if_active_asks_for_life_on_that_channel_and_not_for_an_open_page(choose) -> None:
    assert skipped(routed(*choose([TELEGRAM]), online=True)) == [(TELEGRAM, "not_active")]
    active = [Address(1, TELEGRAM, active=True)]
    assert chosen(routed(*choose([TELEGRAM]), addresses=active, online=False)) == [(TELEGRAM, 1)]


def test_a_channel_asked_for_twice_is_used_once_at_its_first_place(choose) -> None:
    assert channels(routed(*choose(EMAIL, WEB, EMAIL, WEB))) == [EMAIL, WEB]


def test_an_unconditional_wish_counts_after_a_conditional_one_was_skipped(choose) -> None:
    plan = routed(*choose([TELEGRAM], EMAIL, TELEGRAM))
    assert chosen(plan) == [(EMAIL, 2), (TELEGRAM, 1)]
    assert skipped(plan) == [(TELEGRAM, "not_active")]


def test_a_silent_chat_still_follows_the_active_one(choose) -> None:
    chats = [Address(1, TELEGRAM, active=True), Address(3, TELEGRAM)]
    plan = routed(*choose(ACTIVE, TELEGRAM), addresses=chats, online=False)
    assert chosen(plan) == [(TELEGRAM, 1), (TELEGRAM, 3)]


def test_every_address_of_a_channel_is_a_step_of_its_own_in_the_given_order(choose) -> None:
    chats = [Address(9, TELEGRAM), Address(4, TELEGRAM), MAIL]
    assert chosen(routed(*choose(TELEGRAM), addresses=chats)) == [(TELEGRAM, 9), (TELEGRAM, 4)]


def test_an_informational_event_goes_to_the_page_only() -> None:
    plan = routed(priority=Priority.INFORMATIONAL)
    assert chosen(plan) == [(WEB, None)]
    assert skipped(plan) == [(TELEGRAM, "live_only"), (EMAIL, "live_only")]
    assert routed(priority=Priority.INFORMATIONAL, online=False).steps == ()


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        (Address(1, TELEGRAM, disabled_reason="blocked"), "disabled: blocked"),
        (Address(1, TELEGRAM, verified=False), "unverified"),
        (Address(1, TELEGRAM, verified=False, disabled_reason="blocked"), "disabled: blocked"),
        (None, "no_destination"),
    ],
)
def test_an_address_that_cannot_be_used_is_skipped_with_its_reason(choose, address, reason) -> None:
    plan = routed(*choose(TELEGRAM), addresses=[address] if address else [])
    assert (plan.steps, skipped(plan)) == ((), [(TELEGRAM, reason)])


def test_a_channel_without_a_transport_is_skipped(choose) -> None:
    plan = routed(*choose(Channel.PUSH), addresses=[Address(5, Channel.PUSH)])
    assert (plan.steps, skipped(plan)) == ((), [(Channel.PUSH, "unsupported")])


CHOICES = st.lists(st.builds(ChannelChoice, st.sampled_from(Channel), st.booleans()), max_size=6)
ADDRESSES = st.lists(
    st.builds(
        Address,
        st.integers(1, 5),
        st.sampled_from([TELEGRAM, EMAIL, Channel.PUSH]),
        verified=st.booleans(),
        disabled_reason=st.sampled_from(["", "blocked"]),
        active=st.booleans(),
    ),
    max_size=5,
    unique_by=lambda address: address.id,
)
PREFERENCES = st.lists(
    st.builds(
        Preference,
        st.sampled_from(["", "ORDER_FILLED", "RISK_ALERT"]),
        st.sampled_from([WEB, TELEGRAM, EMAIL]),
        st.integers(0, 3),
        st.booleans(),
    ),
    max_size=4,
)


@given(CHOICES, ADDRESSES, PREFERENCES, st.booleans(), st.sampled_from(Priority))
def test_whatever_is_asked_every_plan_keeps_the_rules(requested, addresses, preferences, online, priority):
    plan = routed(*requested, addresses=addresses, preferences=preferences, online=online, priority=priority)
    usable = {a.id: a for a in addresses if a.verified and not a.disabled_reason}
    assert len(set(chosen(plan))) == len(plan.steps)
    for step in plan.steps:
        if step.channel is WEB:
            assert online and step.destination_id is None
        else:
            assert usable[step.destination_id].channel is step.channel
            assert step.channel in SUPPORTED and priority is not Priority.INFORMATIONAL
    traced = [(line.channel, line.destination_id) for line in plan.trace if line.verdict == "chosen"]
    assert traced == chosen(plan)
    assert len(set(plan.trace)) == len(plan.trace)
    wanted = {choice.channel for choice in requested} - {ACTIVE} if requested else {WEB, TELEGRAM, EMAIL}
    assert wanted <= {line.channel for line in plan.trace}
