"""How fast sockets are taken in: a token bucket whose customers wait for their turn."""


class Pace:
    """`per_s` on average, `burst` at once. The clock is the caller's; seconds, monotonic."""

    def __init__(self, per_s: float, burst: int) -> None:
        self._interval_s = 1 / per_s
        self._slack_s = (burst - 1) * self._interval_s
        self._next = 0.0  # when the bucket will be full again, counted in turns given away

    def turn(self, now: float, *, within_s: float) -> float | None:
        """Return how long to wait for a turn, which is then taken; None if it comes later than `within_s`."""
        due = max(self._next, now)
        wait_s = max(0.0, due - self._slack_s - now)
        if wait_s > within_s:
            return None
        self._next = due + self._interval_s
        return wait_s
