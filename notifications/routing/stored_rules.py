"""Reading the persons' wishes and the operator's settings: one statement for a whole batch."""

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any

from notifications.states import Channel, Priority
from notifications.wishes import (
    NO_POLICY,
    NO_PREFERENCES,
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
from runtime.postgres.cursor import binary_cursor
from users.digest_modes import DigestMode

# One kind of row for each table: the person (NULL: everybody), the kind, and the values for `_MADE`.
_RULES = """
SELECT user_id, 'preference',
    jsonb_build_array(event_type, channel, position, enabled, group_id, min_priority)
FROM users_channelpreference WHERE user_id = ANY(%(people)b::bigint[])
UNION ALL
SELECT user_id, 'mute', jsonb_build_array(until, event_type, group_id)
FROM users_mute WHERE user_id = ANY(%(people)b::bigint[])
UNION ALL
SELECT user_id, 'throttle', jsonb_build_array(at_most, per_s, event_type, group_id)
FROM users_throttle WHERE user_id = ANY(%(people)b::bigint[])
UNION ALL
SELECT user_id, kind, jsonb_build_array(weekdays, starts, ends)
FROM users_hours WHERE user_id = ANY(%(people)b::bigint[])
UNION ALL
SELECT user_id, 'digest',
    jsonb_build_array(event_type, channel, mode, group_id, period_s, times, weekdays)
FROM users_digest WHERE user_id = ANY(%(people)b::bigint[])
UNION ALL
SELECT user_id, 'opted_out', jsonb_build_array(group_id)
FROM users_piercingoptout WHERE user_id = ANY(%(people)b::bigint[])
UNION ALL
SELECT NULL::bigint, 'preference', jsonb_build_array('', channel, position, enabled, group_id, min_priority)
FROM users_defaultpreference
UNION ALL
SELECT NULL, 'digest', jsonb_build_array('', channel, mode, group_id, period_s, times, weekdays)
FROM users_defaultdigest
UNION ALL
SELECT NULL, 'group', jsonb_build_array(
    id, name, event_types, mandatory, may_opt_out_of_piercing, throttle_at_most, throttle_per_s)
FROM users_eventgroup
"""


@dataclass(slots=True)
class Rules:
    """What was found: of each person who has set something, and of the operator."""

    policy: Policy = NO_POLICY
    _preferences: dict[int, RuleSet[Preference]] = field(default_factory=dict)
    _wishes: dict[int, Wishes] = field(default_factory=dict)

    def preferences_of(self, person_id: int) -> RuleSet[Preference]:
        return self._preferences.get(person_id, NO_PREFERENCES)

    def wishes_of(self, person_id: int) -> Wishes:
        return self._wishes.get(person_id, NO_WISHES)

    def collects(self, person_id: int) -> bool:
        """Tell whether a digest of the person counts from the first event that waits."""
        digests = (*self.wishes_of(person_id).digests, *self.policy.digests)
        return any(digest.mode is DigestMode.INTERVAL for digest in digests)

    def add(self, person_id: int, found: Mapping[str, Sequence[Any]]) -> None:
        if preferences := found["preference"]:
            self._preferences[person_id] = RuleSet(preferences)
        if found.keys() - {"preference"}:
            self._wishes[person_id] = Wishes(
                mutes=tuple(found["mute"]),
                throttles=tuple(found["throttle"]),
                digests=RuleSet(found["digest"]),
                quiet=tuple(found["quiet"]),
                windows=tuple(found["window"]),
                opted_out=frozenset(found["opted_out"]),
            )


def read_rules(person_ids: Sequence[int]) -> Rules:
    """Read the rules of these persons and of the operator."""
    found: dict[int | None, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    with binary_cursor() as cursor:
        cursor.execute(_RULES, {"people": list(person_ids)})
        for person_id, kind, values in cursor:
            found[person_id][kind].append(_MADE[kind](*json.loads(values)))
    rules = Rules()
    for owner, kinds in found.items():
        if owner is None:
            rules.policy = Policy(
                tuple(kinds["group"]), RuleSet(kinds["preference"]), RuleSet(kinds["digest"])
            )
        else:
            rules.add(owner, kinds)
    return rules


def read_policy() -> Policy:
    """Read what the operator has set."""
    return read_rules([]).policy


def _preference(
    event_type: str, channel: int, position: int, enabled: bool, group_id: int | None, min_priority: int
) -> Preference:
    return Preference(event_type, Channel(channel), position, enabled, group_id, Priority(min_priority))


def _mute(until: str | None, event_type: str, group_id: int | None) -> Mute:
    return Mute(datetime.fromisoformat(until) if until else None, event_type, group_id)


def _span(weekdays: list[int], starts: str, ends: str) -> Span:
    return Span(frozenset(weekdays), time.fromisoformat(starts), time.fromisoformat(ends))


def _digest(
    event_type: str,
    channel: int,
    mode: str,
    group_id: int | None,
    period_s: int | None,
    times: list[str],
    weekdays: list[int],
) -> Digest:
    period = timedelta(seconds=period_s or 0)
    clock = tuple(map(time.fromisoformat, times))
    days = frozenset(weekdays)
    return Digest(event_type, Channel(channel), DigestMode(mode), group_id, period, clock, days)


def _group(
    pk: int,
    name: str,
    event_types: list[str],
    mandatory: bool,
    may_opt_out: bool,
    at_most: int | None,
    per_s: int | None,
) -> Group:
    throttle = Throttle(at_most, per_s) if at_most and per_s else None
    return Group(pk, name, tuple(event_types), mandatory, may_opt_out, throttle)


_MADE: dict[str, Callable[..., Any]] = {
    "preference": _preference,
    "mute": _mute,
    "throttle": Throttle,
    "digest": _digest,
    "quiet": _span,
    "window": _span,
    "opted_out": int,
    "group": _group,
}
