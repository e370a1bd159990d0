"""The credit window of one socket: how much is sent to the client before it has to confirm."""

from collections.abc import Iterable


class Window:
    """Counts the frames of stored events that were sent and not confirmed, by number and by bytes.

    A client reads in order, so confirming one event releases the credit of every frame before it.
    """

    __slots__ = ("_bytes", "_frames", "_unconfirmed", "_used")

    def __init__(self, frames: int, size: int) -> None:
        self._frames = frames
        self._bytes = size
        self._used = 0
        # event id → bytes, awaited; in the order of sending
        self._unconfirmed: dict[str, tuple[int, bool]] = {}

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

    def charge(self, event_id: str, size: int, *, awaited: bool) -> None:
        """Charge a frame that is being sent. `awaited`: its confirmation has a deadline."""
        self._release(event_id)  # a repeat replaces the first frame
        self._unconfirmed[event_id] = (size, awaited)
        self._used += size

    def confirm(self, event_ids: Iterable[str]) -> bool:
        """Release the credit of confirmed frames. Return whether any of them was charged here."""
        known = False
        for event_id in event_ids:
            while event_id in self._unconfirmed:
                known = True
                self._release(next(iter(self._unconfirmed)))
        return known

    def release_unawaited(self) -> bool:
        """Release the credit of frames whose confirmation has no deadline."""
        found = [event_id for event_id, (_, awaited) in self._unconfirmed.items() if not awaited]
        for event_id in found:
            self._release(event_id)
        return bool(found)

    def _release(self, event_id: str) -> None:
        size, _ = self._unconfirmed.pop(event_id, (0, False))
        self._used -= size
