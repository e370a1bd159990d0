"""Failpoints: named places where a test can crash a process. tests/faults shows what a crash there costs.

`TOCSIN_CRASH=claimed_before_send:3` ends the process with 137 when it passes that point for the third time,
as a SIGKILL or a power cut would: nothing is flushed, closed or rolled back. The grammar is in
docs/faults.md. Without the variable no point is armed, and passing one is an empty call.
"""

import fcntl
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

POINTS: dict[str, str] = {
    "accept_before_commit": "the batch is written and not committed: nothing was accepted",
    "accept_after_commit": "accepted, with no effects yet: no push, no doorbell, no ack",
    "broadcast_before_commit": "an event to a topic is written and not committed: it was not accepted",
    "broadcast_after_commit": "an event to a topic is accepted, and there was no doorbell and no ack",
    "fan_out_after_accept": "a chunk of persons has its events, and nothing was pushed or rung for them",
    "fan_out_before_advance": "a chunk of persons was notified, and the broadcast does not say so",
    "pushed_before_record": "the frame is on the socket, the row still says sending",
    "ring_before_publish": "a row is due and its doorbell was never published",
    "ring_after_publish": "the doorbell is published, its publisher is gone",
    "claimed_before_send": "a few sends are committed as begun, no provider was called",
    "sent_before_record": "the provider has it, and nothing is recorded",
    "recorded_before_effects": "the result is committed; the next doorbell and the final ack are missing",
    "defer_before_commit": "a failed try is written and not committed",
    "next_step_before_commit": "the next channel's row is written and not committed",
    "confirm_before_commit": "the client has confirmed, and the commit is missing",
    "unknown_before_commit": "the sweep has ended a dead worker's row and not committed it",
    "sweep_postponed": "the sweep has postponed rows for other sweeps and not handled them",
    "stream_committed_before_ack": "entries of the stream are stored, the producer has no ack",
    "stream_acked_before_xack": "the producer has its ack, the entries are still pending",
    "reply_added_before_commit": "the final ack is on the reply stream, and the row does not say so",
}

EXIT_CODE = 137


class _Armed:
    """Counts passages and ends the process at the configured ones.

    `log` gets a line for every crash, so that a test can tell a crash from a point that was never reached.
    After `at_most` lines of a point, no process crashes there any more.
    """

    def __init__(self, orders: str, *, log: str, at_most: int, seed: int) -> None:
        self._orders = dict(_order(text) for text in orders.split(",") if text)
        self._passages: Counter[str] = Counter()
        self._draws = random.Random(seed)  # noqa: S311  a repeatable test, not a secret
        self._log = Path(log) if log else None
        self._at_most = at_most
        self._lock = threading.Lock()

    def __call__(self, name: str) -> None:
        when, action = self._orders.get(name, ("", ""))
        if not when:
            return
        with self._lock:
            self._passages[name] += 1
            due = self._draws.random() < float(when) if "." in when else self._passages[name] == int(when)
            if not due or not self._noted(name, action):
                return
        if action == "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        elif action.startswith("pause="):
            time.sleep(float(action.removeprefix("pause=")))
        else:
            os._exit(EXIT_CODE)

    def _noted(self, name: str, action: str) -> bool:
        if self._log is None:
            return True
        with self._log.open("a+") as log:
            fcntl.flock(log, fcntl.LOCK_EX)  # two processes must not both be the last one
            log.seek(0)
            if sum(line.startswith(f"{name} ") for line in log) >= self._at_most:
                return False
            log.write(f"{name} {action or 'exit'} {os.getpid()} {time.time():.3f}\n")
        return True


def _order(text: str) -> tuple[str, tuple[str, str]]:
    name, when, action = [*text.split(":"), "", ""][:3]
    if name not in POINTS:
        raise ValueError(f"TOCSIN_CRASH: {name!r} is no crash point; see runtime/failpoints.py")
    return name, (when or "1", action)


def _nothing(name: str) -> None:
    """The failpoint while none is armed."""


def from_environment() -> Callable[[str], None]:
    """Return this process's `failpoint`. Raises: `ValueError` for an unknown point."""
    orders = os.environ.get("TOCSIN_CRASH", "")
    if not orders:
        return _nothing
    return _Armed(
        orders,
        log=os.environ.get("TOCSIN_CRASH_LOG", ""),
        at_most=int(os.environ.get("TOCSIN_CRASH_AT_MOST", "1000000")),
        seed=int(os.environ.get("TOCSIN_CRASH_SEED", "0")),
    )


failpoint = from_environment()
