"""Reading the persons' wishes and the operator's settings: one statement for a whole batch."""

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time
from typing import Any

from notifications.states import Channel, Priority
from notifications.wishes import (
    NO_POLICY,
    NO_WISHES,
    Digest,
    Group,
    Mute,
    Policy,
    Preference,
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
    """What was found: for each person, and for nobody in particular, the values of each kind."""

    policy: Policy = NO_POLICY
    _found: dict[int, dict[str, list[Any]]] = field(default_factory=dict)

    def preferences_of(self, person_id: int) -> tuple[Preference, ...]:
        return tuple(self._found[person_id]["preference"]) if person_id in self._found else ()

    def wishes_of(self, person_id: int) -> Wishes:
        found = self._found.get(person_id)
        if found is None or found.keys() <= {"preference"}:
            return NO_WISHES
        return Wishes(
            mutes=tuple(found["mute"]),
            throttles=tuple(found["throttle"]),
            digests=tuple(found["digest"]),
            quiet=tuple(found["quiet"]),
            windows=tuple(found["window"]),
            opted_out=frozenset(found["opted_out"]),
        )

    def collects(self, person_id: int) -> bool:
        """Tell whether a digest of the person counts from the first event that waits."""
        own = self._found[person_id].get("digest", ()) if person_id in self._found else ()
        digests = (*own, *self.policy.digests)
        return any(digest.mode is DigestMode.INTERVAL for digest in digests)


def read_rules(person_ids: Sequence[int]) -> Rules:
    """Read the rules of these persons and of the operator."""
    found: dict[int | None, dict[str, list[Any]]] = {}
    with binary_cursor() as cursor:
        cursor.execute(_RULES, {"people": list(person_ids)})
        for person_id, kind, values in cursor:
            kinds = found.setdefault(person_id, defaultdict(list))
            kinds[kind].append(_MADE[kind](*json.loads(values)))
    of_everybody = found.pop(None, None)
    rules = Rules(_found={pk: kinds for pk, kinds in found.items() if pk is not None})
    if of_everybody:
        rules.policy = Policy(*(tuple(of_everybody[kind]) for kind in ("group", "preference", "digest")))
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
    clock = tuple(map(time.fromisoformat, times))
    days = frozenset(weekdays)
    return Digest(event_type, Channel(channel), DigestMode(mode), group_id, period_s or 0, clock, days)


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
