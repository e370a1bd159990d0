"""Waiting for what another process or thread does."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(found: Callable[[], T], within_s: float = 10.0, *, what: str = "", every_s: float = 0.02) -> T:
    """Call `found` until its result is true; return the result. Raises: `TimeoutError` after `within_s`."""
    deadline = time.monotonic() + within_s
    while not (value := found()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what or found}: not within {within_s:g} s")
        time.sleep(every_s)
    return value
