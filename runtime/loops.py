"""One of a thing for each event loop: its tasks, locks and connections belong to the loop it began on."""

import asyncio
from collections.abc import Callable
from functools import wraps
from typing import TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")


def per_loop(make: Callable[[], T]) -> Callable[[], T]:
    """Return a function that gives the running loop its own, made by `make` when first asked for."""
    made: WeakKeyDictionary[asyncio.AbstractEventLoop, T] = WeakKeyDictionary()

    @wraps(make)
    def of_this_loop() -> T:
        loop = asyncio.get_running_loop()
        if loop not in made:
            made[loop] = make()
        return made[loop]

    return of_this_loop
