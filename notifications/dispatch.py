"""After the commit: frames to open pages, doorbells for everything else. Nothing here can lose a row."""

import atexit
import logging
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from queue import Empty, SimpleQueue

from django.utils import timezone

from notifications import crash_points, knobs, live, store, tasks
from notifications.events import Aftermath, Envelope, Ring
from notifications.frames import event_frame
from notifications.route import Person, Plan
from notifications.states import Channel, EventState
from notifications.store import Stored, Success

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Routed:
    """An envelope with its person and the plan that routing made."""

    envelope: Envelope
    person: Person
    plan: Plan


def push_informational(batch: Sequence[Routed]) -> list[int]:
    """Push events that are never stored. Return how many gateway processes took each one."""
    live_ones = [item for item in batch if item.plan.steps]
    taken = live.push([(item.person.id, _frame(item)) for item in live_ones])
    counts = {id(item): count for item, count in zip(live_ones, taken, strict=True)}
    return [counts.get(id(item), 0) for item in batch]


def dispatch(batch: Sequence[tuple[Routed, Stored]], online: frozenset[int], now: datetime) -> None:
    """Push what was just accepted to whoever is online, and ring for what is due elsewhere.

    Every stored event goes to the person's open pages, so that they see one sequence; `ack_by` stands
    only in those whose first step is the page.
    """
    accepted = [(item, answer) for item, answer in batch if answer.kind == "accepted"]
    # Who came online since the routing may have read their `seq` before this commit: they miss it without us.
    came = live.online({item.person.id for item, _ in accepted} - online)
    _push(accepted, online | came, now)
    rings = [
        Ring(answer.delivery_id, item.envelope.priority)
        for item, answer in accepted
        if answer.delivery_id and not _is_web(item)
    ]
    follow_later(
        Aftermath(
            rings, [answer.event_pk for _, answer in accepted if answer.state is not EventState.ACCEPTED]
        )
    )


def _is_web(item: Routed) -> bool:
    return bool(item.plan.steps) and item.plan.steps[0].channel is Channel.WEB


def _push(accepted: Sequence[tuple[Routed, Stored]], online: frozenset[int], now: datetime) -> None:
    seen = [(item, answer) for item, answer in accepted if item.person.id in online]
    if not seen:
        return
    deadlines = [_deadline(item, now) if _is_web(item) else None for item, _ in seen]
    frames = [
        (item.person.id, _frame(item, answer.seq, deadline))
        for (item, answer), deadline in zip(seen, deadlines, strict=True)
    ]
    receivers = live.push(frames)
    crash_points.passing("pushed_before_record")
    ended_at = timezone.now()
    taken = [
        (Success(answer.delivery_id, answer.token, now, ended_at), deadline)
        for (_, answer), deadline, count in zip(seen, deadlines, receivers, strict=True)
        if deadline is not None and count
    ]
    if taken:
        store.pushed([success for success, _ in taken], [deadline for _, deadline in taken])
    gone = [
        answer.delivery_id
        for (_, answer), deadline, count in zip(seen, deadlines, receivers, strict=True)
        if deadline is not None and not count
    ]
    if gone:  # the page was closed between the look and the push
        follow_later(store.skip_unpushed(gone, now=ended_at))


def _deadline(item: Routed, now: datetime) -> datetime:
    return now + timedelta(milliseconds=item.envelope.ack_timeout_ms or knobs.current().ack_timeout_ms)


def _frame(item: Routed, seq: int = 0, ack_by: datetime | None = None) -> bytes:
    envelope = item.envelope
    return event_frame(
        event_id=envelope.event_id,
        event_type=envelope.event_type,
        priority=envelope.priority,
        timestamp_ms=envelope.timestamp_ms,
        payload=envelope.payload,
        time_zone=item.person.time_zone,
        seq=seq,
        ack_by=ack_by,
    )


class _Doorbell:
    """One thread per process that rings, so that no request waits for a broker.

    It takes all that has gathered since its last ring: a burst costs few messages, and a single event
    does not wait.
    """

    def __init__(self) -> None:
        self._todo: SimpleQueue[Aftermath] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._pid = 0
        self._lock = threading.Lock()

    def put(self, aftermath: Aftermath) -> None:
        with self._lock:
            if self._thread is None or self._pid != os.getpid() or not self._thread.is_alive():
                self._pid = os.getpid()
                self._thread = threading.Thread(target=self._run, name="doorbell", daemon=True)
                self._thread.start()
                atexit.register(self.finish)
        self._todo.put(aftermath)

    def finish(self, timeout_s: float = 3.0) -> None:
        """Ring for what is left; called at exit."""
        thread, self._thread = self._thread, None
        if thread is not None and thread.is_alive():
            self._todo.put(_STOP)
            thread.join(timeout_s)

    def _run(self) -> None:
        stopping = False
        while not stopping:
            gathered = self._gather()
            stopping = any(item is _STOP for item in gathered)
            whole = Aftermath()
            for item in gathered:
                whole.add(item)
            try:
                tasks.follow(whole)
            except Exception:  # the rows stay due; this thread must live on
                log.exception("doorbell_failed")

    def _gather(self) -> list[Aftermath]:
        items = [self._todo.get()]
        try:
            while True:
                items.append(self._todo.get_nowait())
        except Empty:
            return items


_STOP = Aftermath()
_doorbell = _Doorbell()


def follow_later(aftermath: Aftermath) -> None:
    """Ring and tell in the background: for processes that answer somebody, such as the gateway."""
    if aftermath.rings or aftermath.finals:
        _doorbell.put(aftermath)


def finish_ringing() -> None:
    """Wait until everything that was handed over has been rung. For a graceful stop, and for tests."""
    _doorbell.finish()
