"""What was promised against what arrived. The ground truth is the simulator's log and the clients' own.

The words are those of Jepsen's queue checker; docs/faults.md defines them.
"""

import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

_REF = re.compile(r"[A-Z]\d+[a-z]?-[0-9a-f]{4}-\d{6}")
_ARRIVED = {"accepted", "dropped_answer"}
_SAYS_REPEAT = "You may have received this already"
_EXPIRY_GRACE_S = 2.0  # a send that began in time may arrive a little later
PAGE = "page"

# One line an event: its end, how often its story admits that it may have been sent, and how often it was.
STORIES = """
SELECT e.event_id, e.state, e.code, e.delivered_via, e.priority, greatest(
        count(d.id) FILTER (WHERE d.failure_kind = 'unconfirmed' OR d.state = 'confirmed')
        + (SELECT count(*) FROM notifications_attempt a JOIN notifications_delivery x ON x.id = a.delivery_id
           WHERE x.event_id = e.id AND a.outcome IN ('unknown', 'lease_expired')),
        max(d.possible_duplicate::int)),
    (SELECT count(*) FROM notifications_attempt a JOIN notifications_delivery x ON x.id = a.delivery_id
        WHERE x.event_id = e.id AND a.outcome = 'lease_expired'),
    coalesce(sum(d.attempts), 0), bool_or(d.ring_at IS NOT NULL), e.expires_at,
    e.person_id, e.seq, e.ordering_key, e.collapse_key, e.version
FROM notifications_event e LEFT JOIN notifications_delivery d ON d.event_id = e.id
WHERE e.event_id LIKE %s GROUP BY e.id
"""


@dataclass(frozen=True, slots=True)
class Message:
    """What one recipient has: an event at an address. A page tells no time."""

    event_id: str
    to: str
    at: float = 0.0
    says_repeat: bool = False


@dataclass(frozen=True, slots=True)
class Story:
    event_id: str
    state: str
    code: str
    via: int | None
    priority: int
    admitted: int  # sends of unknown outcome, and pages that did not confirm in time or also have it
    leases_expired: int
    attempts: int
    still_rings: bool
    expires_at: datetime | None = None
    person: int = 0
    seq: int = 0
    ordering_key: str = ""
    collapse_key: str = ""
    version: int = 0

    @property
    def waits(self) -> bool:
        return self.state == "accepted"

    @property
    def is_dead(self) -> bool:
        return not self.waits and self.state != "delivered"

    @property
    def has_reason(self) -> bool:
        """Whether it ended without being delivered, and says why."""
        return self.is_dead and bool(self.code)

    @property
    def recovered(self) -> bool:
        return self.state == "delivered" and (self.attempts > 1 or self.leases_expired > 0)


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """What a row expects to end undelivered, by name: the code of the end, of which events, how many."""

    code: str
    ids: frozenset[str] | None = None  # None: any event of the run
    at_most: int | None = None

    def covers(self, story: Story) -> bool:
        return story.code == self.code and (self.ids is None or story.event_id in self.ids)


@dataclass(slots=True)
class Ledger:
    """The verdict on one run. The lists of `MUST_BE_NONE` must be empty."""

    acknowledged: int = 0
    received: int = 0
    lost: list[str] = field(default_factory=list)
    undelivered: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    dead_letters: int = 0
    unexplained: list[str] = field(default_factory=list)  # of the dead letters
    late: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    repeats: int = 0
    unflagged: list[str] = field(default_factory=list)  # of the duplicated
    finals: int = 0
    unanswered: list[str] = field(default_factory=list)
    answered_twice: list[str] = field(default_factory=list)
    second_finals: int = 0  # final acks beyond the first of their event
    overtaken: list[str] = field(default_factory=list)
    stale_after_newer: list[str] = field(default_factory=list)
    recovered: int = 0
    leases_expired: int = 0
    ends: dict[str, str] = field(default_factory=dict)  # how the tables end what must not be
    names: Counter[str] = field(default_factory=Counter)  # of the dead letters

    @property
    def holds(self) -> bool:
        return not any(getattr(self, name) for name in MUST_BE_NONE)

    def figures(self) -> dict[str, int]:
        return {
            name: len(value) if isinstance(value, list) else value
            for name, value in asdict(self).items()
            if name not in ("ends", "names")
        }


MUST_BE_NONE = (
    "lost",
    "undelivered",
    "unexpected",
    "stuck",
    "unexplained",
    "late",
    "unflagged",
    "unanswered",
    "overtaken",
    "stale_after_newer",
)


def arrivals(log: Path, run: str) -> list[tuple[str, str, float]]:
    """Return what recipients have, from the simulator's file: event id, address, second."""
    return [(message.event_id, message.to, message.at) for message in messages(log, run)]


def messages(log: Path, run: str) -> list[Message]:
    """Return what recipients have, from the simulator's file."""
    found = []
    with log.open() as lines:
        for line in lines:
            if run not in line:
                continue
            entry = json.loads(line)
            if entry["outcome"] not in _ARRIVED:
                continue
            said = " ".join(str(entry.get(part, "")) for part in ("subject", "text", "html"))
            to, at, again = f"{entry['channel']}:{entry['to']}", entry["at_ms"] / 1000, _SAYS_REPEAT in said
            refs = {ref for ref in _REF.findall(said) if ref.startswith(f"{run}-")}
            found += [Message(ref, to, at, again) for ref in refs]
    return found


def draw_up(
    *,
    acked: Iterable[str],
    submitted: Iterable[str],
    came: Sequence[Message],
    stories: Iterable[Story],
    expected: Sequence[DeadLetters] = (),
    finals: "Mapping[str, int] | None" = None,
) -> Ledger:
    """Compare the promises with what arrived.

    `finals`: how many final acks came for each stored event whose producer reads them.
    """
    told = {story.event_id: story for story in stories}
    promised = set(acked)
    by_event = _by_event(came)
    duplicated = sorted(event_id for event_id, sent in by_event.items() if len(sent) > 1)
    dead = [story for story in told.values() if story.is_dead]
    unexplained = _unexplained(dead, expected)
    ledger = Ledger(
        acknowledged=len(promised),
        received=len(by_event),
        lost=_lost(promised, by_event.keys(), told),
        undelivered=sorted(promised.intersection(unexplained) - by_event.keys()),
        unexpected=sorted(by_event.keys() - set(submitted)),
        stuck=sorted(key for key, story in told.items() if story.waits or story.still_rings),
        dead_letters=len(dead),
        unexplained=unexplained,
        late=sorted({item.event_id for item in came if _is_late(item, told.get(item.event_id))}),
        duplicated=duplicated,
        repeats=sum(len(by_event[key]) - 1 for key in duplicated),
        unflagged=[key for key in duplicated if not _flagged(by_event[key], told.get(key))],
        **_final_acks(finals or {}, told.keys()),
        overtaken=sorted(_overtaken(by_event, told.values())),
        stale_after_newer=sorted(_stale_after_newer(by_event, told.values())),
        recovered=sum(story.recovered for story in told.values()),
        leases_expired=sum(story.leases_expired for story in told.values()),
        names=Counter(story.code or story.state for story in dead),
    )
    ledger.ends = {key: _end(told.get(key)) for name in MUST_BE_NONE for key in getattr(ledger, name)}
    return ledger


def _final_acks(finals: Mapping[str, int], stored: Set[str]) -> dict[str, Any]:
    """Count the final acks of stored events: those that never came, and those that came again."""
    counted = {key: times for key, times in finals.items() if key in stored}
    return {
        "finals": sum(counted.values()),
        "unanswered": sorted(key for key, times in counted.items() if not times),
        "answered_twice": sorted(key for key, times in counted.items() if times > 1),
        "second_finals": sum(times - 1 for times in counted.values() if times > 1),
    }


def _by_event(came: Sequence[Message]) -> dict[str, list[Message]]:
    found: dict[str, list[Message]] = defaultdict(list)
    for message in sorted(came, key=lambda message: message.at):
        found[message.event_id].append(message)
    return found


def _overtaken(came: Mapping[str, list[Message]], stories: Iterable[Story]) -> set[str]:
    """Return the events that came first after a later one of their ordering key. Pages tell no time."""
    lines: dict[tuple[int, str], list[tuple[int, float, str]]] = defaultdict(list)
    for story in stories:
        times = _times(came, story)
        if story.ordering_key and times:
            lines[story.person, story.ordering_key].append((story.seq, times[0], story.event_id))
    return {key for line in lines.values() for key in _behind_later(sorted(line))}


def _behind_later(line: Sequence[tuple[int, float, str]]) -> list[str]:
    """Return the ids of the entries, in their right order, whose time is after that of a later entry."""
    found, earliest = [], math.inf
    for _, at, key in reversed(line):
        if at > earliest:
            found.append(key)
        earliest = min(earliest, at)
    return found


def _stale_after_newer(came: Mapping[str, list[Message]], stories: Iterable[Story]) -> set[str]:
    """Return the events of which any message came after a newer state of their collapse key."""
    lines: dict[tuple[int, str], list[Story]] = defaultdict(list)
    for story in stories:
        if story.collapse_key and _times(came, story):
            lines[story.person, story.collapse_key].append(story)
    found: set[str] = set()
    for line in lines.values():
        earliest = math.inf
        for story in sorted(line, key=lambda story: (story.version, story.seq), reverse=True):
            times = _times(came, story)
            if times[-1] > earliest:
                found.add(story.event_id)
            earliest = min(earliest, times[0])
    return found


def _times(came: Mapping[str, list[Message]], story: Story) -> list[float]:
    """Return when the event's messages came, the first one first."""
    return [message.at for message in came.get(story.event_id, ()) if message.to != PAGE]


def _lost(promised: set[str], received: Iterable[str], told: dict[str, Story]) -> list[str]:
    """Return what was promised and is nowhere, and then what only our tables call delivered."""
    received = set(received)
    nowhere = [
        key for key in promised - received if not (key in told and (told[key].has_reason or told[key].waits))
    ]
    only_told = [
        key
        for key, story in told.items()
        if story.state == "delivered" and key not in received and key not in promised
    ]
    return sorted(nowhere) + sorted(only_told)


def _unexplained(dead: Sequence[Story], expected: Sequence[DeadLetters]) -> list[str]:
    """Return the dead letters that no expectation covers, or that are more than it allows."""
    left = [one.at_most for one in expected]
    found = []
    for story in sorted(dead, key=lambda story: story.event_id):
        for place, one in enumerate(expected):
            room = left[place]
            if one.covers(story) and room != 0:
                left[place] = None if room is None else room - 1
                break
        else:
            found.append(story.event_id)
    return found


def _is_late(message: Message, story: Story | None) -> bool:
    """Tell whether a message came although its event had expired."""
    if story is None or story.expires_at is None or message.to == PAGE:
        return False
    return message.at > story.expires_at.timestamp() + _EXPIRY_GRACE_S


def _flagged(came: Sequence[Message], story: Story | None) -> bool:
    """Tell whether each repeat is admitted in the story, and all messages but one say that they may be one.

    Not all but the first: the network may have held that one back.
    """
    if story is None or len(came) - 1 > story.admitted:
        return False
    silent = [message for message in came if message.to != PAGE and not message.says_repeat]
    return len(silent) <= 1


def _end(story: Story | None) -> str:
    if story is None:
        return "no row"
    return f"{story.state} {story.code} via {story.via}, {story.attempts} tries"
