"""Waiting for what another process or thread does."""

import time
from collections.abc import Callable


def eventually(found: Callable[[], object], within_s: float = 10.0) -> object:
    """Return what `found` returns as soon as that is true; fail after `within_s`."""
    deadline = time.monotonic() + within_s
    while not (value := found()):
        assert time.monotonic() < deadline, f"{found} did not become true"
        time.sleep(0.02)
    return value
