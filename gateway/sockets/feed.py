"""What one socket is told, and when: stored events in ascending `seq`, each once, within its credit.

A live frame is written at once if it is the next in the sequence. Every other one (a gap, no credit, a
connection that does not take more) only says how far the sequence goes; Postgres has the events, and they
are read as soon as they can be written. So a lost or late wake costs time and nothing else.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol

from prometheus_client import Counter

from gateway.sockets.window import Window
from notifications.live import frames
from notifications.live.frames import Head
from notifications.live.recovery import PAGE, Missed
from runtime.postgres.away import DATABASE_AWAY

log = logging.getLogger(__name__)

DROPPED = Counter("tocsin_frames_dropped_total", "Frames that a socket could not take", ["kind"])
SLOW = Counter("tocsin_sockets_slow_total", "Sockets closed because they confirmed nothing")

AHEAD_FRAMES = 64  # kept while what comes before them is on its way
BACKLOG_BYTES = 256 * 1024  # not taken by the server: it holds back
_REORDER_S = 0.02  # two publishers may overtake each other; a query is dearer than this wait
_AGAIN_S = 1.0
_INFORMATIONAL = b'{"type":"event",'


class Sink(Protocol):
    """Where frames go. `backlog`: bytes that were written and not taken yet."""

    backlog: int

    def write(self, frame: bytes) -> None: ...


def _as_it_is(frame: bytes) -> bytes | None:
    return frame


class SessionFeed:
    """One a socket. All methods are called on the event loop.

    `read(after, limit)` gets missed events; `slow()` is called once when the socket confirms nothing, or
    takes nothing, for `slow_after_s`. The server may `pause` and `resume` it as the connection's own
    buffer fills and drains.
    """

    __slots__ = (
        "_ahead",
        "_early",
        "_floor",
        "_known",
        "_paused",
        "_read",
        "_reading",
        "_sent",
        "_sink",
        "_slow",
        "_slow_after_s",
        "_slow_timer",
        "_spent",
        "_started",
        "_window",
        "encode",
    )

    def __init__(
        self,
        sink: Sink,
        window: Window,
        *,
        read: Callable[[int, int], Awaitable[Missed]],
        slow: Callable[[], None],
        slow_after_s: float,
    ) -> None:
        self._sink = sink
        self._window = window
        self._read = read
        self._slow = slow
        self._slow_after_s = slow_after_s
        # What the client is sent for a frame; None: nothing, which also costs no credit.
        self.encode: Callable[[bytes], bytes | None] = _as_it_is
        self._started = False
        self._sent = 0  # every event up to here was sent, or is not to be
        self._known = 0  # the sequence goes at least so far
        self._floor = 0  # up to here the client was sent nothing on this socket
        self._ahead: dict[int, tuple[Head, bytes]] = {}
        self._early: list[bytes] = []
        self._paused = False
        self._spent = False  # no credit: half of it has to come back first
        self._reading: asyncio.Task[None] | None = None
        self._slow_timer: asyncio.TimerHandle | None = None

    # --- what comes in --------------------------------------------------------------------------------
    def receive(self, frame: bytes) -> None:
        """Take a live frame of this person."""
        head = frames.head(frame)
        if head is None:
            self._send_transient(frame)
        else:
            self._on_live(head, frame)

    def start(self, *, after: int, known: int, resumed: bool) -> None:
        """Begin, with `ready` written: the client has, or does without, what is up to `after`."""
        self._started = True
        self._sent, self._known = after, max(known, self._known)
        self._floor = 0 if resumed else after
        early, self._early = self._early, []
        for frame in early:
            self._send_transient(frame)
        for seq in sorted(self._ahead):
            if seq <= after:
                self._on_repeat(*self._ahead.pop(seq))
        self._send_ahead()
        self._catch_up_soon()

    def look(self, seq: int) -> None:
        """Hear from Postgres how far the sequence goes."""
        self._known = max(self._known, seq)
        self._catch_up_soon()

    def confirmed(self, event_ids: Iterable[str]) -> None:
        """Get credit back for what the client has confirmed."""
        if self._window.confirm(event_ids):
            self._start_slow_timer(anew=True)
            self._resume_sending()

    def alive(self) -> None:
        """Get credit back for events that nobody has to confirm: the client has given a sign of life."""
        if self._window.release_unawaited():
            self._resume_sending()

    def pause(self) -> None:
        """Write no more events until `resume`: the connection takes no more."""
        self._paused = True
        self._start_slow_timer()

    def resume(self) -> None:
        self._paused = False
        self._resume_sending()

    def written(self) -> None:
        """Hear that the server has taken all that was written."""
        if self._slow_timer is not None or self._sent < self._known:
            self._resume_sending()

    @property
    def paused(self) -> bool:
        return self._paused or self._sink.backlog > BACKLOG_BYTES

    def close(self) -> None:
        """Stop reading and waiting; the socket is gone."""
        self._started = False
        self._ahead.clear()
        for handle in (self._reading, self._slow_timer):
            if handle is not None:
                handle.cancel()

    # --- what goes out ----------------------------------------------------------------------------------
    @property
    def _blocked(self) -> bool:
        return self.paused or self._spent

    def _send_transient(self, frame: bytes) -> None:
        """Write a frame that is not stored anywhere, or drop it."""
        if not self._started and len(self._early) < AHEAD_FRAMES:
            self._early.append(frame)
        elif not self._started or self.paused or (self._spent and frame.startswith(_INFORMATIONAL)):
            DROPPED.labels("live").inc()
        elif (text := self.encode(frame)) is not None:
            self._sink.write(text)
            self._start_slow_timer()

    def _on_live(self, head: Head, frame: bytes) -> None:
        self._known = max(self._known, head.seq)
        if self._started and head.seq <= self._sent:
            self._on_repeat(head, frame)
        elif self._started and head.seq == self._sent + 1 and not self._blocked and self._reading is None:
            self._send(head, frame)
            self._send_ahead()
        else:
            if len(self._ahead) < AHEAD_FRAMES and not self._blocked:
                self._ahead[head.seq] = (head, frame)
            self._catch_up_soon()

    def _on_repeat(self, head: Head, frame: bytes) -> None:
        """Send it only if somebody waits for its confirmation, and the client may not have heard of that.

        That is so for an event that comes back to the page after other channels, and for one that was
        stored just before this socket came. All others were read from Postgres meanwhile.
        """
        if not head.ack_by or not (head.repeat or head.seq <= self._floor):
            return
        if self._blocked:
            DROPPED.labels("repeat").inc()
        else:
            self._write(head, frame)

    def _send(self, head: Head, frame: bytes) -> None:
        self._sent = head.seq
        self._write(head, frame)

    def _write(self, head: Head, frame: bytes) -> None:
        text = self.encode(frame)
        if text is None:
            return
        self._window.charge(head.event_id, len(text), awaited=bool(head.ack_by))
        self._sink.write(text)
        if self._window.full:
            self._spent = True
        if self._blocked:
            self._ahead.clear()  # it can be read; memory is for those who take what they get
            self._start_slow_timer()

    def _send_ahead(self) -> None:
        """Send what follows without a gap of that which came too early."""
        while not self._blocked and (found := self._ahead.pop(self._sent + 1, None)):
            self._send(*found)
        for seq in [seq for seq in self._ahead if seq <= self._sent]:
            del self._ahead[seq]

    # --- what is missing --------------------------------------------------------------------------------
    def _catch_up_soon(self) -> None:
        if self._started and not self._blocked and self._sent < self._known and self._reading is None:
            self._reading = asyncio.get_running_loop().create_task(self._catch_up())

    async def _catch_up(self) -> None:
        try:
            if self._ahead:
                await asyncio.sleep(_REORDER_S)
                self._send_ahead()
            while self._sent < self._known and not self._blocked:
                before = self._sent
                self._send_missed(await self._read(before, min(PAGE, self._window.room)))
                if self._sent == before and not self._blocked:
                    self._known = before  # a wake for what Postgres does not have: a restored backup
        except DATABASE_AWAY as error:
            log.warning("catch_up_postponed", extra={"error": type(error).__name__})
            await asyncio.sleep(_AGAIN_S)
        except Exception:  # this socket's trouble; the next look tries again
            log.exception("catch_up_failed")
            await asyncio.sleep(_AGAIN_S)
        finally:
            self._reading = None
        self._catch_up_soon()

    def _send_missed(self, missed: Missed) -> None:
        for head, frame in missed.frames:
            if self._blocked:
                return
            if head.seq > self._sent:
                self._send(head, frame)
        self._sent = max(self._sent, missed.through)
        self._send_ahead()

    # --- patience ---------------------------------------------------------------------------------------
    def _resume_sending(self) -> None:
        if self._spent and self._window.half_free:
            self._spent = False
        if not self._blocked:
            self._stop_slow_timer()
            self._catch_up_soon()

    def _start_slow_timer(self, *, anew: bool = False) -> None:
        """Let the time run that a blocked socket has; `anew`: it has confirmed something."""
        if anew:
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
        self._slow()
