"""Events with a key, one after the other: a row whose turn has not come waits, or leaves its channel.

NORMAL waits for as long as it lives. CRITICAL leaves for another channel once it has waited for as long as it
waits for a provider; where the events before it are as urgent they leave first, so it gives them the time.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from notifications import store
from notifications.delivery import waits
from notifications.delivery.record import Clock
from notifications.delivery.waits import Wait
from notifications.effects import Effects
from notifications.states import Priority, WaitReason
from notifications.store import Due

_PATIENCE_S = waits.PATIENCE_S
_BEHIND_CRITICAL_S = 2 * waits.PATIENCE_S


def take_turns(rows: Sequence[Due], clock: Clock) -> tuple[list[Due], Effects]:
    """Return the rows whose turn it is. The others wait, or their events go on to the next channel."""
    behind = [row for row in rows if row.ahead]
    if not behind:
        return list(rows), Effects()
    now = clock()
    late = [row.delivery_id for row in behind if not row.last and _has_waited_enough(row, now)]
    gone = store.with_next(late) if late else set()
    staying = [row for row in behind if row.delivery_id not in gone]
    if staying:
        store.wait_for_turn(
            staying,
            ring_at=[_look_again_at(row, now) for row in staying],
            lines=[store.order_line(row.channel, None, row.ahead[0], now=now) for row in staying],
            now=now,
        )
    leaving = [Wait(row, now) for row in behind if row.delivery_id in gone]
    effects = waits.leave(leaving, WaitReason.ORDER, now)
    return [row for row in rows if not row.ahead], effects


def _has_waited_enough(row: Due, now: datetime) -> bool:
    return row.priority is Priority.CRITICAL and now >= _leaves_at(row)


def _leaves_at(row: Due) -> datetime:
    longest_s = _BEHIND_CRITICAL_S if row.behind_critical else _PATIENCE_S
    half_s = (row.expires_at - row.since).total_seconds() / 2
    return row.since + timedelta(seconds=min(longest_s, half_s))


def _look_again_at(row: Due, now: datetime) -> datetime:
    """Return when the sweep rings: for the row's turn, or in time for it to leave."""
    at = store.look_again_at(len(row.ahead), row.priority, now=now)
    leaves_at = _leaves_at(row)
    return min(at, leaves_at) if row.priority is Priority.CRITICAL and now < leaves_at else at
