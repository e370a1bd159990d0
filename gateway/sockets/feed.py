"""The feed of one socket: stored events in ascending `seq`, each once, within the credit window.

A live frame is written at once if it is the next in the sequence. Any other frame (a gap, no credit, a full
connection) only raises the known end of the sequence; the events are read from Postgres as soon as they can
be written. So a lost or late push costs time and nothing else.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol

from prometheus_client import Counter

from gateway.sockets.window import Window
from notifications.events import EventRef
from notifications.live import frames
from notifications.live.frames import Head
from notifications.live.recovery import PAGE, Missed
from runtime.postgres.away import DATABASE_AWAY

log = logging.getLogger(__name__)

DROPPED = Counter("tocsin_frames_dropped_total", "Frames dropped at a blocked socket", ["kind"])
SLOW = Counter("tocsin_sockets_slow_total", "Sockets closed because they confirmed nothing")

AHEAD_FRAMES = 64  # kept while earlier events are read
BACKLOG_BYTES = 256 * 1024  # written and not sent yet: above this the feed pauses
_REORDER_S = 0.02  # pushes of two publishers may arrive out of order; this wait is cheaper than a query
_AGAIN_S = 1.0
_INFORMATIONAL = b'{"type":"event",'


class Sink(Protocol):
    """Destination of frames. `backlog`: bytes written and not yet accepted by the server."""

    backlog: int

    def write(self, frame: bytes) -> None: ...


def _unchanged(frame: bytes) -> bytes | None:
    return frame


class SessionFeed:
    """One per socket. All methods are called on the event loop.

    `read_missed(after, limit)` reads missed events; `on_slow()` is called once when the client confirms
    nothing, or reads nothing, for `slow_after_s`. The server calls `pause` and `resume` as the connection's
    buffer fills and drains.
    """

    __slots__ = (
        "_ahead",
        "_before_start",
        "_catch_up_task",
        "_head_seq",
        "_on_slow",
        "_out_of_credit",
        "_paused",
        "_read_missed",
        "_sent_seq",
        "_sink",
        "_skipped_through",
        "_slow_after_s",
        "_slow_timer",
        "_started",
        "_window",
        "encode",
    )

    def __init__(
        self,
        sink: Sink,
        window: Window,
        *,
        read_missed: Callable[[int, int], Awaitable[Missed]],
        on_slow: Callable[[], None],
        slow_after_s: float,
    ) -> None:
        self._sink = sink
        self._window = window
        self._read_missed = read_missed
        self._on_slow = on_slow
        self._slow_after_s = slow_after_s
        # Turns a frame into the client's sub-protocol; None: the client gets nothing, which costs no credit.
        self.encode: Callable[[bytes], bytes | None] = _unchanged
        self._started = False
        self._sent_seq = 0  # every event up to here was sent or skipped
        self._head_seq = 0  # the latest known seq of the person
        self._skipped_through = 0  # events up to here were not sent on this socket
        self._ahead: dict[int, tuple[Head, bytes]] = {}
        self._before_start: list[bytes] = []
        self._paused = False
        self._out_of_credit = False  # sending resumes when half of the credit is back
        self._catch_up_task: asyncio.Task[None] | None = None
        self._slow_timer: asyncio.TimerHandle | None = None

    # --- input ----------------------------------------------------------------------------------------
    def receive(self, frame: bytes) -> None:
        """Process a live frame of this person."""
        head = frames.head(frame)
        if head is None:
            self._send_transient(frame)
        else:
            self._on_live(head, frame)

    def start(self, *, after: int, head: int, resumed: bool) -> None:
        """Start sending events with a `seq` above `after`; call it once `ready` is written."""
        self._started = True
        self._sent_seq, self._head_seq = after, max(head, self._head_seq)
        self._skipped_through = 0 if resumed else after
        waiting, self._before_start = self._before_start, []
        for frame in waiting:
            self._send_transient(frame)
        for seq in sorted(self._ahead):
            if seq <= after:
                self._on_repeat(*self._ahead.pop(seq))
        self._send_ahead()
        self._catch_up_soon()

    def advance_head(self, seq: int) -> None:
        """Raise the known end of the sequence to `seq`, as read from Postgres."""
        self._head_seq = max(self._head_seq, seq)
        self._catch_up_soon()

    def confirmed(self, refs: Iterable[EventRef]) -> None:
        """Return the credit of confirmed events."""
        if self._window.confirm(refs):
            self._start_slow_timer(restart=True)
            self._resume_sending()

    def on_ping(self) -> None:
        """Return the credit of events that need no confirmation: the client is alive."""
        if self._window.release_unawaited():
            self._resume_sending()

    def pause(self) -> None:
        """Write no events until `resume`: the send buffer is full."""
        self._paused = True
        self._start_slow_timer()

    def resume(self) -> None:
        self._paused = False
        self._resume_sending()

    def on_flushed(self) -> None:
        """Called when the server's send buffer is empty."""
        if self._slow_timer is not None or self._sent_seq < self._head_seq:
            self._resume_sending()

    @property
    def paused(self) -> bool:
        return self._paused or self._sink.backlog > BACKLOG_BYTES

    def close(self) -> None:
        """Cancel pending reads and timers; the socket is closed."""
        self._started = False
        self._ahead.clear()
        for handle in (self._catch_up_task, self._slow_timer):
            if handle is not None:
                handle.cancel()

    # --- output -----------------------------------------------------------------------------------------
    @property
    def _blocked(self) -> bool:
        return self.paused or self._out_of_credit

    def _send_transient(self, frame: bytes) -> None:
        """Write a frame that is stored nowhere, or drop it."""
        if not self._started and len(self._before_start) < AHEAD_FRAMES:
            self._before_start.append(frame)
        elif not self._started or self.paused or (self._out_of_credit and frame.startswith(_INFORMATIONAL)):
            DROPPED.labels("live").inc()
        elif (text := self.encode(frame)) is not None:
            self._sink.write(text)
            self._start_slow_timer()

    def _on_live(self, head: Head, frame: bytes) -> None:
        self._head_seq = max(self._head_seq, head.seq)
        if self._started and head.seq <= self._sent_seq:
            self._on_repeat(head, frame)
        elif (
            self._started
            and head.seq == self._sent_seq + 1
            and not self._blocked
            and self._catch_up_task is None
        ):
            self._send(head, frame)
            self._send_ahead()
        else:
            if len(self._ahead) < AHEAD_FRAMES and not self._blocked:
                self._ahead[head.seq] = (head, frame)
            self._catch_up_soon()

    def _on_repeat(self, head: Head, frame: bytes) -> None:
        """Send an earlier event again if it waits for a confirmation that the client may not know of.

        This is the case for an event that returns to the page after other channels, and for one that was
        stored just before this socket opened. All others have been read from Postgres.
        """
        if not head.ack_by or not (head.repeat or head.seq <= self._skipped_through):
            return
        if self._blocked:
            DROPPED.labels("repeat").inc()
        else:
            self._write(head, frame)

    def _send(self, head: Head, frame: bytes) -> None:
        self._sent_seq = head.seq
        self._write(head, frame)

    def _write(self, head: Head, frame: bytes) -> None:
        text = self.encode(frame)
        if text is None:
            return
        self._window.charge(head.seq, head.name, len(text), awaited=bool(head.ack_by))
        self._sink.write(text)
        if self._window.full:
            self._out_of_credit = True
        if self._blocked:
            self._ahead.clear()  # they can be read again; a blocked socket keeps no frames in memory
            self._start_slow_timer()

    def _send_ahead(self) -> None:
        """Send the frames kept in `_ahead` that now follow without a gap."""
        while not self._blocked and (found := self._ahead.pop(self._sent_seq + 1, None)):
            self._send(*found)
        for seq in [seq for seq in self._ahead if seq <= self._sent_seq]:
            del self._ahead[seq]

    # --- catching up ------------------------------------------------------------------------------------
    def _catch_up_soon(self) -> None:
        if (
            self._started
            and not self._blocked
            and self._sent_seq < self._head_seq
            and self._catch_up_task is None
        ):
            self._catch_up_task = asyncio.get_running_loop().create_task(self._catch_up())

    async def _catch_up(self) -> None:
        try:
            if self._ahead:
                await asyncio.sleep(_REORDER_S)
                self._send_ahead()
            while self._sent_seq < self._head_seq and not self._blocked:
                before = self._sent_seq
                self._send_missed(await self._read_missed(before, min(PAGE, self._window.room)))
                if self._sent_seq == before and not self._blocked:
                    self._head_seq = before  # pushed, but not in Postgres: a restored backup
        except DATABASE_AWAY as error:
            log.warning("catch_up_postponed", extra={"error": type(error).__name__})
            await asyncio.sleep(_AGAIN_S)
        except Exception:  # affects this socket only; the next resync tries again
            log.exception("catch_up_failed")
            await asyncio.sleep(_AGAIN_S)
        finally:
            self._catch_up_task = None
        self._catch_up_soon()

    def _send_missed(self, missed: Missed) -> None:
        for head, frame in missed.frames:
            if self._blocked:
                return
            if head.seq > self._sent_seq:
                self._send(head, frame)
        self._sent_seq = max(self._sent_seq, missed.through)
        self._send_ahead()

    # --- slow clients ------------------------------------------------------------------------------------
    def _resume_sending(self) -> None:
        if self._out_of_credit and self._window.half_free:
            self._out_of_credit = False
        if not self._blocked:
            self._stop_slow_timer()
            self._catch_up_soon()

    def _start_slow_timer(self, *, restart: bool = False) -> None:
        """Start the time limit of a blocked socket; `restart` it after a confirmation."""
        if restart:
            self._stop_slow_timer()
        if self._slow_timer is None and self._blocked:
            loop = asyncio.get_running_loop()
            self._slow_timer = loop.call_later(self._slow_after_s, self._too_slow)

    def _stop_slow_timer(self) -> None:
        if self._slow_timer is not None:
            self._slow_timer.cancel()
            self._slow_timer = None

    def _too_slow(self) -> None:
        SLOW.inc()
        self._on_slow()
