"""Who was closed for flooding, and waits: each return costs a handshake, a sign-in and one more flood.

The socket of a person who comes back at once is let in, holds no place among the unauthenticated, and hears
`ready` when its pause is over. Nothing is asked of Postgres until then: to wait costs nothing, and to be sent
away would only bring the client back sooner.
"""

import asyncio
from random import uniform

from gateway.settings import edge_settings
from runtime.loops import per_loop


class FloodPenalties:
    """One per event loop. Time is monotonic seconds."""

    def __init__(self) -> None:
        self._until: dict[int, float] = {}  # by person; the one whose pause ends first is in front

    def note(self, person_id: int, now: float) -> None:
        """Let the pause of a person begin, or begin anew."""
        self._forget(now)
        self._until.pop(person_id, None)
        self._until[person_id] = now + edge_settings().flood_pause_s

    def wait_s(self, person_id: int, now: float) -> float:
        """Return how long this person still has to wait."""
        return max(0.0, self._until.get(person_id, now) - now)

    async def over(self, person_id: int) -> None:
        """Return in the second half of this person's wait: those of one burst do not come as one."""
        wait_s = self.wait_s(person_id, asyncio.get_running_loop().time())
        if wait_s:
            await asyncio.sleep(wait_s * uniform(0.5, 1))  # noqa: S311

    def _forget(self, now: float) -> None:
        """Drop those whose pause is over, so that there are no more than one pause can bring."""
        while self._until and self._until[first := next(iter(self._until))] <= now:
            del self._until[first]


@per_loop
def flood_penalties() -> FloodPenalties:
    """Return that of the running event loop."""
    return FloodPenalties()
