"""`route` with everything that a person and the operator can set, beside routing by type and channel alone.

Both in turns, in CPU time; the ratio of the best rounds counts. At most 1.3 is allowed.
"""

import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from functools import partial
from pathlib import Path
from time import process_time_ns
from timeit import timeit

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.test")

import django

django.setup()

from benchmarks import route_by_type  # noqa: E402
from notifications.events import Address, ChannelChoice, Recipient  # noqa: E402
from notifications.routing.route import route  # noqa: E402
from notifications.states import Channel, Priority  # noqa: E402
from notifications.transports.registry import BUILT_IN  # noqa: E402
from notifications.wishes import (  # noqa: E402
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
from users.digest_modes import DigestMode  # noqa: E402

ROUNDS, CALLS = 60, 400
HOUR, NEVER = timedelta(hours=1), timedelta()
CHANNELS = {spec.channel: spec for spec in BUILT_IN}
ORDER = (Channel.TELEGRAM, Channel.WEB, Channel.EMAIL)
NOON, NIGHT = datetime(2026, 6, 3, 12, tzinfo=UTC), datetime(2026, 6, 3, 23, tzinfo=UTC)
WEEK, WEEKEND = frozenset(range(5)), frozenset({5, 6})


def preferences() -> RuleSet[Preference]:
    types = ("", "ORDER_FILLED", "RISK_ALERT", "TRADE")
    return RuleSet(Preference(name, channel, place) for name in types for place, channel in enumerate(ORDER))


def full(*more_digests: Digest) -> Recipient:
    """Return a person who has set everything, none of it but `more_digests` for the event that is routed."""
    groups = (
        Group(1, "orders", ("ORDER_*",)),
        Group(2, "security", ("SIGN_IN", "PASSWORD_*"), mandatory=True),
        Group(3, "prices", ("PRICE_*", "norm.*"), throttle=Throttle(5, 3600)),
        Group(4, "news", ("NEWS", "DIGEST", "SURVEY"), may_opt_out=True),
    )
    of_groups = tuple(
        Preference("", channel, place, group_id=group.id)
        for group in groups
        for place, channel in enumerate(ORDER)
    )
    digests = (
        Digest("", Channel.EMAIL, DigestMode.REPEATS, 3, HOUR),
        Digest("NEWS", Channel.EMAIL, DigestMode.SCHEDULE, None, NEVER, (time(9), time(18)), WEEK),
    )
    wishes = Wishes(
        mutes=(Mute(event_type="TRADE"), Mute(group_id=4)),
        throttles=(Throttle(10, 3600), Throttle(2, 60, group_id=3)),
        quiet=(Span(WEEK, time(22), time(7)), Span(WEEKEND, time(23), time(9))),
        windows=(Span(WEEK, time(6), time(23)), Span(WEEKEND, time(8), time(23))),
        opted_out=frozenset({4}),
        digests=RuleSet((*digests, *more_digests)),
    )
    of_everybody = RuleSet([Digest("", Channel.EMAIL, DigestMode.INTERVAL, 4, HOUR)])
    policy = Policy(groups, RuleSet(of_groups[:6]), of_everybody)
    return Recipient(
        7, "ada", "Europe/Zurich", "en", ADDRESSES, RuleSet(preferences() + of_groups), wishes, policy
    )


ADDRESSES = (Address(1, Channel.TELEGRAM), Address(2, Channel.EMAIL))
PLAIN = Recipient(7, "ada", "Europe/Zurich", "en", ADDRESSES, preferences())
FULL = full()
HOURLY = full(*(Digest("", channel, DigestMode.INTERVAL, 1, HOUR) for channel in ORDER))
TWICE_A_DAY = full(
    *(Digest("", channel, DigestMode.SCHEDULE, 1, NEVER, (time(9), time(18)), WEEK) for channel in ORDER)
)


def call(how: Callable[..., object], recipient: Recipient, priority: Priority, **more: object) -> float:
    routed = partial(
        how,
        event_type="ORDER_FILLED",
        priority=priority,
        requested=(),
        recipient=recipient,
        online=True,
        channels=CHANNELS,
        default_order=tuple(map(ChannelChoice, CHANNELS)),
        **more,
    )
    return timeit(routed, number=CALLS, timer=process_time_ns) / CALLS / 1e3


def main() -> None:
    cases = {
        "nobody has set anything but preferences": (PLAIN, Priority.NORMAL, NOON),
        "full set, sent now": (FULL, Priority.NORMAL, NOON),
        "full set, held at night": (FULL, Priority.NORMAL, NIGHT),
        "full set, in a digest by interval": (HOURLY, Priority.NORMAL, NOON),
        "full set, in a digest by schedule, at night": (TWICE_A_DAY, Priority.NORMAL, NIGHT),
        "full set, CRITICAL at night": (FULL, Priority.CRITICAL, NIGHT),
    }
    for name, (recipient, priority, now) in cases.items():
        before, after = [], []
        for _ in range(ROUNDS):
            before.append(call(route_by_type.route, PLAIN, priority))
            after.append(call(route, recipient, priority, now=now))
        ratio = min(after) / min(before)
        print(f"{name}: {min(after):.1f} us, by type alone {min(before):.1f} us, ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
