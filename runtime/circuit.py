"""A circuit breaker within one process: after a call that timed out, the next ones do not wait as well."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Circuit:
    """Opens when a call raises one of `away`. While it is open, calls raise `refusal` at once.

    After `pause_s` one call is let through: an answer closes the circuit, a failure does not. Thread-safe.
    """

    def __init__(
        self,
        *,
        away: tuple[type[Exception], ...],
        refusal: Callable[[], Exception],
        pause_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._away = away
        self._refusal = refusal
        self._pause_s = pause_s
        self._clock = clock
        self._lock = threading.Lock()
        self._next_at: float | None = None  # when the next call may pass; None: it is closed

    @contextmanager
    def call(self) -> Iterator[None]:
        """Make one call in the block. Raises: the refusal, while the circuit is open."""
        self._pass()
        away = False
        try:
            yield
        except self._away:
            away = True
            raise
        finally:
            self._next_at = self._clock() + self._pause_s if away else None

    def _pass(self) -> None:
        with self._lock:
            if self._next_at is None:
                return
            now = self._clock()
            if now < self._next_at:
                raise self._refusal()
            self._next_at = now + self._pause_s  # the others wait for what this call finds
