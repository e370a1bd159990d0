"""Doorbells that come late: when their event has expired, nothing may be sent any more."""

import signal
import time

from tests.faults.stage import Stage

_LIVES_S = 2.0
_LATER_S = 3.0  # than the expiry, by when a message counts as late


def expire_before_the_send(stage: Stage, count: int = 20) -> None:
    """Stop all workers and the sweep until some events have expired; the workers go on before the sweep."""
    children = stage.system.supervisor.children
    for name in [*stage.system.workers, "control"]:
        children[name].send(signal.SIGSTOP)
    items = stage.items(count)
    for number, item in enumerate(items):
        item["delivery"] = {"priority": ("CRITICAL", "NORMAL")[number % 2], "channels": ["TELEGRAM"]}
        item["expires_at"] = int((time.time() + _LIVES_S) * 1000)
    stage.expect_dead("expired", [item["event_id"] for item in items])
    stage.produce(items, batch=10).join(_LIVES_S)
    stage.pause(_LIVES_S + _LATER_S)
    for name in stage.system.workers:
        children[name].send(signal.SIGCONT)
    stage.until(lambda: not _waiting(stage), within_s=20, what="the late doorbells are taken")
    stage.pause(1.0)  # a send begins within this
    children["control"].send(signal.SIGCONT)
    stage.struck()
    stage.settle()


def _waiting(stage: Stage) -> int:
    """Return how many doorbells no worker has taken yet."""
    client = stage.system.redis()
    try:
        return sum(int(client.llen(queue)) for queue in ("critical", "normal"))
    finally:
        client.close()
