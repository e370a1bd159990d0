"""Events with a key, one after the other: whose turn it is, and which of them a newer one has replaced.

A key is one source's and one person's. Events without a key are never looked for here.
"""

from notifications.store.order.supersession import Superseded, newer_exists, supersede
from notifications.store.order.turns import (
    AHEAD,
    HAS_KEY,
    LOOKED_AT,
    MARK_IN_FLIGHT,
    look_again_at,
    next_in_line,
    trace_line,
    wait_for_turn,
)

__all__ = [
    "AHEAD",
    "HAS_KEY",
    "LOOKED_AT",
    "MARK_IN_FLIGHT",
    "Superseded",
    "look_again_at",
    "newer_exists",
    "next_in_line",
    "supersede",
    "trace_line",
    "wait_for_turn",
]
