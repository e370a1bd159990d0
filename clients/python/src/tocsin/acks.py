"""Acks: what the service says about an event. First `QUEUED`, then exactly one that is final."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Dict, Tuple

DELIVERED, QUEUED, ACK_ERROR = "DELIVERED", "QUEUED", "ACK_ERROR"
LATER_S = 15.0
_TAKEN_LATER = frozenset(
    {
        "busy",
        "commit_unknown",
        "internal",
        "overloaded",
        "quota_exceeded",
        "rate_limited",
        "too_many_open",
        "unavailable",
    }
)


@dataclass(frozen=True)
class ChannelOutcome:
    """How one channel ended, or where it stands."""

    channel: str
    state: str
    reason: str = ""


@dataclass(frozen=True)
class Ack:
    """One ack. `delivered_via` and `evidence` are set with DELIVERED, `code` and `detail` with ACK_ERROR."""

    event_id: str
    status: str
    final: bool = False
    code: str = ""
    detail: str = ""
    delivered_via: str = ""
    evidence: str = ""
    duplicate: bool = False
    seq: int = 0
    at: int = 0  # Unix milliseconds
    outcomes: Tuple[ChannelOutcome, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    superseded_by: str = ""  # the event that replaced it
    local: bool = False  # made by this client: the service has not said it

    @property
    def delivered(self) -> bool:
        return self.status == DELIVERED

    @property
    def asks_again(self) -> bool:
        """Whether nothing was taken for now: the same event is to be sent again after `LATER_S`."""
        return self.code in _TAKEN_LATER and not self.seq

    def to_text(self) -> str:
        """Return it as the journal keeps it."""
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":"))


def from_json(given: Mapping[str, Any]) -> Ack:
    """Return the ack of a JSON object. Raises: KeyError, TypeError or ValueError if it is none."""
    outcomes: Sequence[Mapping[str, Any]] = given.get("outcomes") or ()
    counts: Dict[str, int] = {str(name): int(count) for name, count in (given.get("counts") or {}).items()}
    return Ack(
        event_id=str(given["event_id"]),
        status=str(given["status"]),
        final=bool(given.get("final")),
        code=str(given.get("code") or ""),
        detail=str(given.get("detail") or given.get("error_message") or ""),
        delivered_via=str(given.get("delivered_via") or ""),
        evidence=str(given.get("evidence") or ""),
        duplicate=bool(given.get("duplicate")),
        seq=int(given.get("seq") or 0),
        at=int(given.get("at") or 0),
        outcomes=tuple(
            ChannelOutcome(str(one["channel"]), str(one["state"]), str(one.get("reason") or ""))
            for one in outcomes
        ),
        counts=counts,
        superseded_by=str(given.get("superseded_by") or ""),
        local=bool(given.get("local")),
    )


def from_text(text: str) -> Ack:
    """Return the ack that `Ack.to_text` wrote."""
    return from_json(json.loads(text))


def refusal(event_id: str, code: str, detail: str, *, at_ms: int) -> Ack:
    """Return the final ack that this client makes itself, where the service gives none."""
    return Ack(event_id, ACK_ERROR, final=True, code=code, detail=detail, at=at_ms, local=True)
