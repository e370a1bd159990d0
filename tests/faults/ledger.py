"""What was promised against what arrived. The ground truth is the simulator's log and the clients' own.

The words are those of Jepsen's queue checker; docs/faults.md defines them.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

_REF = re.compile(r"[A-Z]\d[a-z]?-[0-9a-f]{4}-\d{6}")
_ARRIVED = {"accepted", "dropped_answer"}

# One line an event: its end, and whether anything in its story says that it may have been sent twice.
STORIES = """
SELECT e.event_id, e.state, e.code, e.delivered_via, e.priority,
    coalesce(bool_or(d.possible_duplicate OR d.state = 'unknown' OR d.failure_kind = 'unconfirmed'), false)
        OR EXISTS (SELECT 1 FROM notifications_attempt a JOIN notifications_delivery x ON x.id = a.delivery_id
                   WHERE x.event_id = e.id AND a.outcome IN ('unknown', 'lease_expired', 'crashed')),
    (SELECT count(*) FROM notifications_attempt a JOIN notifications_delivery x ON x.id = a.delivery_id
        WHERE x.event_id = e.id AND a.outcome = 'lease_expired'),
    coalesce(sum(d.attempts), 0), bool_or(d.ring_at IS NOT NULL)
FROM notifications_event e LEFT JOIN notifications_delivery d ON d.event_id = e.id
WHERE e.event_id LIKE %s GROUP BY e.id
"""


@dataclass(frozen=True, slots=True)
class Story:
    event_id: str
    state: str
    code: str
    via: int | None
    priority: int
    flagged: bool
    leases_expired: int
    attempts: int
    still_rings: bool

    @property
    def waits(self) -> bool:
        return self.state == "accepted"

    @property
    def has_reason(self) -> bool:
        """Whether it ended without being delivered, and says why."""
        return self.state != "delivered" and bool(self.code)

    @property
    def recovered(self) -> bool:
        return self.state == "delivered" and (self.attempts > 1 or self.leases_expired > 0)


@dataclass(slots=True)
class Ledger:
    """The verdict on one run. Lost, unexpected, stuck and unflagged must be 0."""

    acknowledged: int = 0
    received: int = 0
    lost: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    unflagged: list[str] = field(default_factory=list)  # of the duplicated
    recovered: int = 0
    dead_letters: int = 0
    leases_expired: int = 0
    ends: dict[str, str] = field(default_factory=dict)  # how the tables end what must not be

    @property
    def holds(self) -> bool:
        return not (self.lost or self.unexpected or self.stuck or self.unflagged)

    def figures(self) -> dict[str, int]:
        return {
            name: len(value) if isinstance(value, list) else value
            for name, value in asdict(self).items()
            if name != "ends"
        }


def arrivals(log: Path, run: str) -> list[tuple[str, str, float]]:
    """Return what recipients have, from the simulator's file: event id, address, second."""
    found = []
    with log.open() as lines:
        for line in lines:
            if run not in line:
                continue
            entry = json.loads(line)
            if entry["outcome"] not in _ARRIVED:
                continue
            said = " ".join(str(entry.get(part, "")) for part in ("subject", "text", "html"))
            refs = {ref for ref in _REF.findall(said) if ref.startswith(f"{run}-")}
            found += [(ref, f"{entry['channel']}:{entry['to']}", entry["at_ms"] / 1000) for ref in refs]
    return found


def draw_up(
    *,
    acked: Iterable[str],
    submitted: Iterable[str],
    received: "Counter[str]",
    stories: Iterable[Story],
) -> Ledger:
    """Compare the promises with what arrived.

    `lost`: promised, and neither received nor ended with a reason. An event that we call delivered and
    nobody received is lost, whatever our tables say. `stuck`: stored and without an end when the run's
    patience was over, or ended with a row that still rings.
    """
    told = {story.event_id: story for story in stories}
    promised = set(acked)
    duplicated = sorted(event_id for event_id, times in received.items() if times > 1)
    ledger = Ledger(
        acknowledged=len(promised),
        received=len(received),
        lost=_lost(promised, received, told),
        unexpected=sorted(received.keys() - set(submitted)),
        stuck=sorted(key for key, story in told.items() if story.waits or story.still_rings),
        duplicated=duplicated,
        unflagged=[key for key in duplicated if key not in told or not told[key].flagged],
        recovered=sum(story.recovered for story in told.values()),
        dead_letters=sum(story.state == "failed" for story in told.values()),
        leases_expired=sum(story.leases_expired for story in told.values()),
    )
    wrong = [*ledger.lost, *ledger.stuck, *ledger.unflagged]
    ledger.ends = {key: _end(told.get(key)) for key in wrong}
    return ledger


def _lost(promised: set[str], received: "Counter[str]", told: dict[str, Story]) -> list[str]:
    """Return what was promised and is nowhere, and then what only our tables call delivered."""
    nowhere = [
        key
        for key in promised
        if key not in received and not (key in told and (told[key].has_reason or told[key].waits))
    ]
    only_told = [
        key
        for key, story in told.items()
        if story.state == "delivered" and key not in received and key not in promised
    ]
    return sorted(nowhere) + sorted(only_told)


def _end(story: Story | None) -> str:
    if story is None:
        return "no row"
    return f"{story.state} {story.code} via {story.via}, {story.attempts} tries"
