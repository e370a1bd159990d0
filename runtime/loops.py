"""One instance per event loop, for objects whose tasks, locks and connections belong to their loop."""

import asyncio
from collections.abc import Callable
from functools import wraps
from typing import TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")


def per_loop(make: Callable[[], T]) -> Callable[[], T]:
    """Return a function that returns the running loop's instance, created by `make` at the first call."""
    instances: WeakKeyDictionary[asyncio.AbstractEventLoop, T] = WeakKeyDictionary()

    @wraps(make)
    def of_running_loop() -> T:
        loop = asyncio.get_running_loop()
        if loop not in instances:
            instances[loop] = make()
        return instances[loop]

    return of_running_loop
