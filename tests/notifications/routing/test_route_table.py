"""The routing engine as one table: what a person wishes, what the operator has set, and what comes of it."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

import pytest

from notifications.events import Address, ChannelChoice, OpenDigest, Recipient
from notifications.routing.route import route
from notifications.states import Channel, Priority
from notifications.transports.registry import BUILT_IN
from notifications.wishes import (
    NO_WISHES,
    Digest,
    Group,
    Mute,
    Policy,
    Preference,
    RuleSet,
    Span,
    Throttle,
    Wishes,
)
from users.digest_modes import DigestMode

WEB, TELEGRAM, EMAIL = Channel.WEB, Channel.TELEGRAM, Channel.EMAIL
INFO, NORMAL, CRITICAL = Priority
SUPPORTED = {spec.channel: spec for spec in BUILT_IN}
NOON = datetime(2026, 6, 3, 12, tzinfo=UTC)  # a Wednesday
NIGHT = NOON + timedelta(hours=11)
MORNING = datetime(2026, 6, 4, 7, tzinfo=UTC)
TOMORROW_9 = datetime(2026, 6, 4, 9, tzinfo=UTC)
LATER = NOON + timedelta(days=3)
LATER_MORNING = LATER.replace(hour=7)

EVERY_DAY = frozenset(range(7))
QUIET = Wishes(quiet=(Span(EVERY_DAY, time(22), time(7)),))
OFFICE = Wishes(windows=(Span(frozenset(range(5)), time(9), time(17)),))
MUTED, MUTED_UNTIL = Wishes(mutes=(Mute(),)), Wishes(mutes=(Mute(LATER),))

QUARTER, HOUR = timedelta(minutes=15), timedelta(hours=1)


def digest(mode=DigestMode.INTERVAL, channel=EMAIL, event_type="", group_id=None, **more) -> Digest:
    return Digest(event_type, channel, mode, group_id, **{"period": QUARTER, "weekdays": EVERY_DAY} | more)


def digests(*some: Digest, **more) -> Wishes:
    return Wishes(digests=RuleSet(some), **more)


AT_8_AND_18 = digest(DigestMode.SCHEDULE, times=(time(8), time(18)))
NO_PAGE = "WEB no_session"
COLLECTED = (NO_PAGE, "EMAIL digest")
ORDERS = Group(1, "orders", ("ORDER_*",))
SECURITY = Group(2, "security", ("SIGN_IN", "ORDER_REFUSED"), mandatory=True)
PRICES = Group(3, "prices", ("PRICE_ALERT",), may_opt_out=True, throttle=Throttle(5, 3600))
GROUPS = (ORDERS, SECURITY, PRICES)


def off(channel, event_type="", **more) -> Preference:
    return Preference(event_type, channel, enabled=False, **more)


ALL_OFF = (off(WEB), off(TELEGRAM), off(EMAIL))


@dataclass(frozen=True)
class Row:
    rule: str
    sends: str  # channels in order; a held one in brackets
    lines: tuple[str, ...] = ()  # of the trace, without those of chosen channels
    event_type: str = "ORDER_FILLED"
    priority: Priority = NORMAL
    now: datetime = NOON
    online: bool = False
    preferences: tuple[Preference, ...] = ()
    defaults: tuple[Preference, ...] = ()
    wishes: Wishes = NO_WISHES
    open_digests: tuple[OpenDigest, ...] = ()
    default_digests: tuple[Digest, ...] = ()
    requested: tuple[Channel, ...] = ()
    expires_at: datetime | None = None
    throttled_until: datetime | None = None
    until: datetime | None = None  # of every line with a time
    silent: bool = False
    pierces: str | None = None


BOTH_HELD = "(TELEGRAM) (EMAIL)"


def both(reason: str) -> tuple[str, str, str]:
    return NO_PAGE, f"TELEGRAM {reason}", f"EMAIL {reason}"


TABLE = [
    # --- which rule counts: type before group before every type, the person before the operator
    Row("nothing is set", "TELEGRAM EMAIL", (NO_PAGE,)),
    Row("every type", "EMAIL", (NO_PAGE, "TELEGRAM switched_off"), preferences=(off(TELEGRAM),)),
    Row("another type", "TELEGRAM EMAIL", (NO_PAGE,), preferences=(off(TELEGRAM, "RISK_ALERT"),)),
    Row(
        "the type before every type", "TELEGRAM EMAIL", (NO_PAGE,),
        preferences=(off(TELEGRAM), Preference("ORDER_FILLED", TELEGRAM)),
    ),
    Row(
        "the group before every type", "EMAIL", (NO_PAGE, "TELEGRAM switched_off"),
        preferences=(Preference("", TELEGRAM), off(TELEGRAM, group_id=1)),
    ),
    Row(
        "the type before its group", "TELEGRAM EMAIL", (NO_PAGE,),
        preferences=(off(TELEGRAM, group_id=1), Preference("ORDER_FILLED", TELEGRAM)),
    ),
    Row("another group", "TELEGRAM EMAIL", (NO_PAGE,), preferences=(off(TELEGRAM, group_id=3),)),
    Row(
        "a name is in its group before a longer beginning of it", "TELEGRAM EMAIL", (NO_PAGE,),
        event_type="ORDER_REFUSED", preferences=(off(TELEGRAM, group_id=1),),
    ),
    Row(
        "the operator's default", "EMAIL", (NO_PAGE, "TELEGRAM switched_off"), defaults=(off(TELEGRAM),)
    ),
    Row(
        "the operator's default of the group before that of every type", "TELEGRAM EMAIL", (NO_PAGE,),
        defaults=(off(TELEGRAM), Preference("", TELEGRAM, group_id=1)),
    ),
    Row(
        "the person's rule for every type before the operator's for the group", "TELEGRAM EMAIL", (NO_PAGE,),
        defaults=(off(TELEGRAM, group_id=1),), preferences=(Preference("", TELEGRAM),),
    ),
    Row(
        "the operator's order", "EMAIL TELEGRAM", (NO_PAGE,),
        defaults=(Preference("", EMAIL, 0), Preference("", WEB, 1), Preference("", TELEGRAM, 2)),
    ),
    Row(
        "the person's order before the operator's", "TELEGRAM EMAIL", (NO_PAGE,),
        defaults=(Preference("", EMAIL, 0), Preference("", TELEGRAM, 2)),
        preferences=(Preference("", EMAIL, 3),),
    ),
    Row(
        "the producer's list before both", "EMAIL",
        preferences=(Preference("", EMAIL, 9),), requested=(EMAIL,),
    ),
    Row(
        "a switched off channel that the producer asks for", "", ("EMAIL switched_off",),
        preferences=(off(EMAIL),), requested=(EMAIL,),
    ),
    # --- from which priority on
    Row(
        "below the channel's priority", "EMAIL", (NO_PAGE, "TELEGRAM below_priority"),
        preferences=(Preference("", TELEGRAM, 1, min_priority=CRITICAL),),
    ),
    Row(
        "at the channel's priority", "TELEGRAM EMAIL", (NO_PAGE,), priority=CRITICAL,
        preferences=(Preference("", TELEGRAM, 1, min_priority=CRITICAL),),
    ),
    Row(
        "the page below its priority stays silent", "TELEGRAM EMAIL", ("WEB below_priority",), online=True,
        preferences=(Preference("", WEB, 0, min_priority=CRITICAL),), silent=True,
    ),
    # --- everything is off
    Row(
        "everything is off", "", ("WEB switched_off", "TELEGRAM switched_off", "EMAIL switched_off"),
        preferences=ALL_OFF, silent=True,
    ),
    Row(
        "everything is off for a CRITICAL event too", "",
        ("WEB switched_off", "TELEGRAM switched_off", "EMAIL switched_off"),
        priority=CRITICAL, preferences=ALL_OFF, silent=True,
    ),
    # --- mandatory types
    Row(
        "a mandatory type with everything off", "TELEGRAM EMAIL", (NO_PAGE,),
        event_type="SIGN_IN", preferences=ALL_OFF,
    ),
    Row(
        "a mandatory type with everything off goes by the operator's rules", "EMAIL",
        (NO_PAGE, "TELEGRAM switched_off"),
        event_type="SIGN_IN", preferences=ALL_OFF, defaults=(off(TELEGRAM, group_id=2),),
    ),
    Row(
        "a mandatory type that the operator has switched off by mistake", "TELEGRAM EMAIL", (NO_PAGE,),
        event_type="SIGN_IN", defaults=(off(TELEGRAM), off(EMAIL)),
    ),
    Row(
        "a mandatory type keeps an address besides the page", "WEB TELEGRAM EMAIL", online=True,
        event_type="SIGN_IN", preferences=(off(TELEGRAM), off(EMAIL)),
    ),
    Row(
        "a mandatory type with one channel left", "EMAIL", (NO_PAGE, "TELEGRAM switched_off"),
        event_type="SIGN_IN", preferences=(off(TELEGRAM),),
    ),
    Row("a mandatory type is not muted", "TELEGRAM EMAIL", (NO_PAGE,), event_type="SIGN_IN", wishes=MUTED),
    Row(
        "a mandatory type that is not urgent waits for the end of quiet hours", BOTH_HELD,
        both("quiet_hours"), event_type="SIGN_IN", wishes=QUIET, now=NIGHT, until=MORNING, silent=True,
    ),
    # --- mutes
    Row("muted until it is lifted", "", both("muted"), wishes=MUTED, silent=True),
    Row("muted until a time", "", both("muted"), wishes=MUTED_UNTIL, until=LATER, silent=True),
    Row("the mute has ended", "TELEGRAM EMAIL", (NO_PAGE,), wishes=Wishes(mutes=(Mute(NOON),))),
    Row(
        "another type is muted", "TELEGRAM EMAIL", (NO_PAGE,),
        wishes=Wishes(mutes=(Mute(event_type="RISK_ALERT"),)),
    ),
    Row("the group is muted", "", both("muted"), wishes=Wishes(mutes=(Mute(group_id=1),)), silent=True),
    Row(
        "of two mutes the longer counts", "", both("muted"), until=LATER, silent=True,
        wishes=Wishes(mutes=(Mute(MORNING, "ORDER_FILLED"), Mute(LATER, group_id=1))),
    ),
    Row(
        "muted with an open page", "WEB", ("TELEGRAM muted", "EMAIL muted"),
        online=True, wishes=MUTED, silent=True,
    ),
    Row(
        "a CRITICAL event pierces a mute", "TELEGRAM EMAIL", (NO_PAGE,),
        priority=CRITICAL, wishes=MUTED, pierces="muted",
    ),
    # --- quiet hours and send windows
    Row("not quiet at noon", "TELEGRAM EMAIL", (NO_PAGE,), wishes=QUIET),
    Row(
        "held until the end of quiet hours", BOTH_HELD, both("quiet_hours"),
        wishes=QUIET, now=NIGHT, until=MORNING, silent=True,
    ),
    Row(
        "quiet with an open page", f"WEB {BOTH_HELD}", ("TELEGRAM quiet_hours", "EMAIL quiet_hours"),
        online=True, wishes=QUIET, now=NIGHT, until=MORNING, silent=True,
    ),
    Row("inside a send window", "TELEGRAM EMAIL", (NO_PAGE,), wishes=OFFICE),
    Row(
        "held until the next send window", BOTH_HELD, both("send_window"),
        wishes=OFFICE, now=NIGHT, until=TOMORROW_9, silent=True,
    ),
    Row(
        "a CRITICAL event pierces quiet hours", "TELEGRAM EMAIL", (NO_PAGE,),
        priority=CRITICAL, wishes=QUIET, now=NIGHT, pierces="quiet_hours",
    ),
    Row(
        "a CRITICAL event pierces a send window", "TELEGRAM EMAIL", (NO_PAGE,),
        priority=CRITICAL, wishes=OFFICE, now=NIGHT, pierces="send_window",
    ),
    Row(
        "an INFORMATIONAL event is silent in quiet hours", "WEB", ("TELEGRAM live_only", "EMAIL live_only"),
        priority=INFO, online=True, wishes=QUIET, now=NIGHT, silent=True,
    ),
    Row(
        "it would expire before the release", "", both("expires_while_held"),
        wishes=QUIET, now=NIGHT, expires_at=MORNING, until=MORNING, silent=True,
    ),
    Row(
        "it is still good at the release", BOTH_HELD, both("quiet_hours"),
        wishes=QUIET, now=NIGHT, expires_at=LATER, until=MORNING, silent=True,
    ),
    Row(
        "quiet hours that never end", "", both("never_open"), silent=True,
        wishes=Wishes(quiet=(Span(EVERY_DAY, time(0), time(0)),)),
    ),
    Row(
        "off and quiet: only what is on is held", "(EMAIL)",
        (NO_PAGE, "TELEGRAM switched_off", "EMAIL quiet_hours"),
        preferences=(off(TELEGRAM),), wishes=QUIET, now=NIGHT, until=MORNING, silent=True,
    ),
    # --- opting out of piercing
    Row(
        "an opt-out that the operator allows", BOTH_HELD, both("quiet_hours"), event_type="PRICE_ALERT",
        priority=CRITICAL, wishes=Wishes(quiet=QUIET.quiet, opted_out=frozenset({3})),
        now=NIGHT, until=MORNING, silent=True,
    ),
    Row(
        "an opt-out that the operator does not allow", "TELEGRAM EMAIL", (NO_PAGE,),
        priority=CRITICAL, wishes=Wishes(quiet=QUIET.quiet, opted_out=frozenset({1})),
        now=NIGHT, pierces="quiet_hours",
    ),
    Row(
        "opted out and muted until a time: it waits", BOTH_HELD, both("muted"), event_type="PRICE_ALERT",
        priority=CRITICAL, wishes=Wishes(mutes=(Mute(LATER),), opted_out=frozenset({3})),
        until=LATER, silent=True,
    ),
    Row(
        "opted out, and the mute ends in quiet hours", BOTH_HELD, both("muted"), event_type="PRICE_ALERT",
        priority=CRITICAL, silent=True, until=LATER_MORNING,
        wishes=Wishes(mutes=(Mute(LATER.replace(hour=3)),), quiet=QUIET.quiet, opted_out=frozenset({3})),
    ),
    Row(
        "opted out and muted for good: it is in the inbox", "", both("muted"), event_type="PRICE_ALERT",
        priority=CRITICAL, wishes=Wishes(mutes=(Mute(),), opted_out=frozenset({3})), silent=True,
    ),
    # --- throttle
    Row(
        "enough were sent", "", both("throttled"), throttled_until=LATER, until=LATER, silent=True
    ),
    Row(
        "enough were sent, with an open page", "WEB", ("TELEGRAM throttled", "EMAIL throttled"),
        online=True, throttled_until=LATER, until=LATER, silent=True,
    ),
    Row(
        "a CRITICAL event is never throttled", "TELEGRAM EMAIL", (NO_PAGE,),
        priority=CRITICAL, throttled_until=LATER,
    ),
    # --- digests
    Row(
        "by interval, from the first one", "TELEGRAM (EMAIL)", COLLECTED,
        wishes=digests(digest()), until=NOON + QUARTER,
    ),
    Row(
        "by interval, with the first one that waits", "TELEGRAM (EMAIL)", COLLECTED,
        wishes=digests(digest()), open_digests=(OpenDigest(2, "RISK_ALERT", NOON + timedelta(minutes=4)),),
        until=NOON + timedelta(minutes=4),
    ),
    Row(
        "what waits on another address is another digest", "TELEGRAM (EMAIL)", COLLECTED,
        wishes=digests(digest()), open_digests=(OpenDigest(1, "RISK_ALERT", NOON + timedelta(minutes=4)),),
        until=NOON + QUARTER,
    ),
    Row(
        "what waits in the digest of another group is another digest", "TELEGRAM (EMAIL)", COLLECTED,
        wishes=digests(digest(), digest(group_id=1)),
        open_digests=(OpenDigest(2, "RISK_ALERT", NOON + timedelta(minutes=4)),), until=NOON + QUARTER,
    ),
    Row(
        "a digest that is due is joined no more", "TELEGRAM (EMAIL)", COLLECTED,
        wishes=digests(digest()), open_digests=(OpenDigest(2, "RISK_ALERT", NOON),), until=NOON + QUARTER,
    ),
    Row(
        "by schedule, at the next of its times", "TELEGRAM (EMAIL)", COLLECTED,
        wishes=digests(AT_8_AND_18), until=NOON + timedelta(hours=6),
    ),
    Row(
        "by schedule, on the next of its days", "TELEGRAM (EMAIL)", COLLECTED,
        wishes=digests(digest(DigestMode.SCHEDULE, times=(time(8),), weekdays=frozenset({0}))),
        until=datetime(2026, 6, 8, 8, tzinfo=UTC),
    ),
    Row(
        "the first of what repeats goes at once", "TELEGRAM EMAIL", (NO_PAGE,),
        wishes=digests(digest(DigestMode.REPEATS)),
    ),
    Row("another channel's digest", "(TELEGRAM) EMAIL", (NO_PAGE, "TELEGRAM digest"),
        wishes=digests(digest(channel=TELEGRAM)), until=NOON + QUARTER),
    Row(
        "a digest of another type", "TELEGRAM EMAIL", (NO_PAGE,),
        wishes=digests(digest(event_type="RISK_ALERT")),
    ),
    Row(
        "the digest of the type before that of its group", "TELEGRAM (EMAIL)", COLLECTED,
        wishes=digests(AT_8_AND_18, digest(group_id=1, period=HOUR), digest(event_type="ORDER_FILLED")),
        until=NOON + QUARTER,
    ),
    Row(
        "off for the group, on for every type", "TELEGRAM EMAIL", (NO_PAGE,),
        wishes=digests(digest(), digest(DigestMode.OFF, group_id=1)),
    ),
    Row(
        "the operator's digest", "TELEGRAM (EMAIL)", COLLECTED,
        default_digests=(digest(group_id=1),), until=NOON + QUARTER,
    ),
    Row(
        "the person's digest before the operator's", "TELEGRAM EMAIL", (NO_PAGE,),
        default_digests=(digest(group_id=1),), wishes=digests(digest(DigestMode.OFF)),
    ),
    Row(
        "a CRITICAL event waits for no digest", "TELEGRAM EMAIL", (NO_PAGE,), priority=CRITICAL,
        wishes=digests(digest(), digest(channel=TELEGRAM)),
    ),
    Row(
        "a CRITICAL event that does not pierce waits for no digest either", BOTH_HELD, both("quiet_hours"),
        event_type="PRICE_ALERT", priority=CRITICAL, now=NIGHT, until=MORNING, silent=True,
        wishes=digests(digest(), quiet=QUIET.quiet, opted_out=frozenset({3})),
    ),
    Row(
        "a mandatory type waits for a digest", "TELEGRAM (EMAIL)", COLLECTED, event_type="SIGN_IN",
        wishes=digests(digest()), until=NOON + QUARTER,
    ),
    Row(
        "a digest that is due in quiet hours goes after them", "(TELEGRAM) (EMAIL)",
        (NO_PAGE, "TELEGRAM quiet_hours", "EMAIL digest"), now=NIGHT, until=MORNING, silent=True,
        wishes=digests(digest(), quiet=QUIET.quiet),
    ),
    Row(
        "it would expire before its digest: at once", "TELEGRAM EMAIL", (NO_PAGE,),
        wishes=digests(digest()), expires_at=NOON + QUARTER,
    ),
    Row(
        "a page shows each by itself", "WEB TELEGRAM (EMAIL)", ("EMAIL digest",), online=True,
        wishes=digests(digest()), until=NOON + QUARTER,
    ),
    Row("muted before any digest", "", both("muted"), wishes=digests(digest(), mutes=(Mute(),)), silent=True),
]  # fmt: skip


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.rule)
def test_the_table(row: Row) -> None:
    plan = route(
        event_type=row.event_type,
        priority=row.priority,
        requested=tuple(map(ChannelChoice, row.requested)),
        recipient=Recipient(
            7,
            "ada",
            addresses=(Address(1, TELEGRAM), Address(2, EMAIL)),
            preferences=RuleSet(row.preferences),
            wishes=row.wishes,
            policy=Policy(GROUPS, RuleSet(row.defaults), RuleSet(row.default_digests)),
            open_digests=row.open_digests,
        ),
        online=row.online,
        channels=SUPPORTED,
        default_order=tuple(map(ChannelChoice, SUPPORTED)),
        now=row.now,
        expires_at=row.expires_at,
        throttled_until=row.throttled_until,
    )
    sends = [f"({s.channel.name})" if s.hold_until else s.channel.name for s in plan.steps]
    lines = [line for line in plan.trace if line.verdict != "chosen"]
    assert " ".join(sends) == row.sends
    assert tuple(f"{line.channel.name} {line.reason}" for line in lines) == row.lines
    assert {line.until for line in lines if line.until} == ({row.until} if row.until else set())
    assert {step.hold_until for step in plan.steps if step.hold_until} <= {row.until}
    assert (plan.silent, plan.pierces) == (row.silent, row.pierces)
