"""What several rows ask of a run, beside the ledger."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg

from tests.faults.stage import Stage

_REPEATED_SHARE = 0.005


def judge_unknown(stage: Stage, in_flight: int) -> None:
    """Bound what kills may leave unknown by the sends that can have been in flight, and the repeats by that.

    An event whose send was in flight may end without a further one: NORMAL at the first unknown outcome,
    CRITICAL at the second.
    """
    drawn = stage.ledger()
    called = drawn.leases_expired
    stage.expect_dead("outcome_unknown", at_most=called)
    stage.allow_repeats(called)
    stage.figure(
        "called unknown ≤ sends in flight", f"{called} of {in_flight}", limit="≤", holds=called <= in_flight
    )
    share = drawn.repeats / max(1, drawn.acknowledged)
    if stage.full and not stage.mixed:  # few events, and slow sends: each kill meets some
        stage.figure("repeats, % of events", 100 * share, limit="≤ 0.5", holds=share <= _REPEATED_SHARE)


@dataclass(slots=True)
class Uncommitted:
    count: int = 0


# A claim is one statement and commits by itself: its session never waits inside a transaction.
_UNCOMMITTED = """
SELECT count(*) FROM pg_stat_activity
WHERE state LIKE 'idle in transaction%' AND query LIKE '%lease_until = %'
"""


@contextmanager
def claims_watched(stage: Stage) -> Iterator[Uncommitted]:
    """Count the claims that wait without their commit while their process does something else, as a send."""
    found, over = Uncommitted(), threading.Event()

    def watch() -> None:
        with psycopg.connect(stage.system.postgres.url(), autocommit=True) as connection:
            while not over.wait(0.02):
                found.count += connection.execute(_UNCOMMITTED).fetchone()[0]  # type: ignore[index]

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield found
    finally:
        over.set()
        watcher.join(10)
