"""The credit window of one socket: how much is sent to the client before it has to confirm."""

from collections.abc import Iterable

from notifications.events import EventName, EventRef, EventSeq


class Window:
    """Counts the frames of stored events that were sent and not confirmed, by number and by bytes.

    A client reads in order, so confirming one event releases the credit of every frame before it.
    """

    __slots__ = ("_bytes", "_frames", "_seqs", "_unconfirmed", "_used")

    def __init__(self, frames: int, size: int) -> None:
        self._frames = frames
        self._bytes = size
        self._used = 0
        # seq → name, bytes, awaited; in the order of sending
        self._unconfirmed: dict[int, tuple[EventName, int, bool]] = {}
        # name, or id alone → seq; 0 for an id that several unconfirmed frames have
        self._seqs: dict[EventName | str, int] = {}

    @property
    def full(self) -> bool:
        return len(self._unconfirmed) >= self._frames or self._used >= self._bytes

    @property
    def half_free(self) -> bool:
        """Whether to resume sending: resuming at each single credit would mean one query per event."""
        return len(self._unconfirmed) * 2 <= self._frames and self._used * 2 <= self._bytes

    @property
    def room(self) -> int:
        """The number of frames that may still be sent."""
        return max(self._frames - len(self._unconfirmed), 0)

    def charge(self, seq: int, name: EventName, size: int, *, awaited: bool) -> None:
        """Charge a frame that is being sent. `awaited`: its confirmation has a deadline."""
        if seq in self._unconfirmed:
            self._release(seq)  # a repeat replaces the first frame
        self._unconfirmed[seq] = (name, size, awaited)
        self._seqs[name] = seq
        self._seqs[name.event_id] = 0 if name.event_id in self._seqs else seq
        self._used += size

    def confirm(self, refs: Iterable[EventRef]) -> bool:
        """Release the credit of confirmed frames. Return whether any of them was charged here."""
        known = False
        for ref in refs:
            seq = ref.seq if isinstance(ref, EventSeq) else self._seqs.get(ref, 0)
            while seq in self._unconfirmed:
                known = True
                self._release(next(iter(self._unconfirmed)))
        return known

    def release_unawaited(self) -> bool:
        """Release the credit of frames whose confirmation has no deadline."""
        found = [seq for seq, (_, _, awaited) in self._unconfirmed.items() if not awaited]
        for seq in found:
            self._release(seq)
        return bool(found)

    def _release(self, seq: int) -> None:
        name, size, _ = self._unconfirmed.pop(seq)
        self._used -= size
        self._seqs.pop(name, None)
        self._seqs.pop(name.event_id, None)
