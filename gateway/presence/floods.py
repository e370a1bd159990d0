"""Clients disconnected for flooding must wait: each return costs a handshake, a sign-in and one more flood.

A person who returns at once is signed in, frees the slot of unauthenticated sockets, and gets `ready` when
the pause is over. Until then the socket costs no query; a rejected client would only come back sooner.
"""

import asyncio
from random import uniform

from gateway.settings import edge_settings
from runtime.loops import per_loop


class FloodPenalties:
    """One per event loop. Time is monotonic seconds."""

    def __init__(self) -> None:
        self._until: dict[int, float] = {}  # by person, in the order in which their pauses end

    def start_pause(self, person_id: int, now: float) -> None:
        """Start the pause of a person, or start it again."""
        self._forget(now)
        self._until.pop(person_id, None)
        self._until[person_id] = now + edge_settings().flood_pause_s

    def wait_s(self, person_id: int, now: float) -> float:
        """Return how long this person must still wait."""
        return max(0.0, self._until.get(person_id, now) - now)

    async def wait_until_over(self, person_id: int) -> None:
        """Return in the second half of this person's wait, at random, which spreads a burst."""
        wait_s = self.wait_s(person_id, asyncio.get_running_loop().time())
        if wait_s:
            await asyncio.sleep(wait_s * uniform(0.5, 1))  # noqa: S311

    def _forget(self, now: float) -> None:
        """Drop the pauses that are over, so that memory is bounded by the arrivals of one pause."""
        while self._until and self._until[first := next(iter(self._until))] <= now:
            del self._until[first]


@per_loop
def flood_penalties() -> FloodPenalties:
    """Return the penalties of the running event loop."""
    return FloodPenalties()
