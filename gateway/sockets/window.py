"""The credit window of one socket: how much it may be sent before it confirms."""

from collections.abc import Iterable


class Window:
    """Counts the frames of stored events that were sent and not confirmed, by number and by bytes.

    A client reads in order, so confirming one event gives back the credit of every frame before it.
    """

    __slots__ = ("_bytes", "_frames", "_open", "_used")

    def __init__(self, frames: int, size: int) -> None:
        self._frames = frames
        self._bytes = size
        self._used = 0
        self._open: dict[str, tuple[int, bool]] = {}  # event id → bytes, awaited; in the order of sending

    @property
    def full(self) -> bool:
        return len(self._open) >= self._frames or self._used >= self._bytes

    @property
    def half_free(self) -> bool:
        """Whether it pays to go on: waking for each single credit would mean a query an event."""
        return len(self._open) * 2 <= self._frames and self._used * 2 <= self._bytes

    @property
    def room(self) -> int:
        """How many more frames may be sent."""
        return max(self._frames - len(self._open), 0)

    def charge(self, event_id: str, size: int, *, awaited: bool) -> None:
        """Count a frame that is being sent. `awaited`: somebody waits for its confirmation."""
        self._free(event_id)  # a repeat takes the place of the first
        self._open[event_id] = (size, awaited)
        self._used += size

    def confirm(self, event_ids: Iterable[str]) -> bool:
        """Give back what these confirmations free. Return whether any of them was waited for here."""
        known = False
        for event_id in event_ids:
            while event_id in self._open:
                known = True
                self._free(next(iter(self._open)))
        return known

    def release_unawaited(self) -> bool:
        """Give back the credit of the frames whose confirmation nobody waits for."""
        found = [event_id for event_id, (_, awaited) in self._open.items() if not awaited]
        for event_id in found:
            self._free(event_id)
        return bool(found)

    def _free(self, event_id: str) -> None:
        size, _ = self._open.pop(event_id, (0, False))
        self._used -= size
