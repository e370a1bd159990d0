"""One event loop thread per worker process, started when it is first needed.

An asyncio client that is made at import, or run by `asyncio.run`, fails on every second call in a prefork
worker; clients made here live on this loop for as long as the process does.
"""

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")

_lock = threading.Lock()
_loops: dict[int, asyncio.AbstractEventLoop] = {}
_lags: dict[int, float] = {}
_MEASURE_EVERY_S = 0.1


def submit(coroutine: Coroutine[Any, Any, T]) -> "Future[T]":
    """Run `coroutine` on this process's loop thread and return its future at once."""
    return asyncio.run_coroutine_threadsafe(coroutine, _loop())


def call(function: Callable[..., object], *arguments: object) -> None:
    """Call `function` on this process's loop thread, soon."""
    _loop().call_soon_threadsafe(function, *arguments)


def _loop() -> asyncio.AbstractEventLoop:
    pid = os.getpid()  # a forked child must not use its parent's loop: nobody runs it there
    with _lock:
        if pid not in _loops:
            loop = asyncio.new_event_loop()
            loop.call_soon(_measure, loop, loop.time())
            threading.Thread(target=loop.run_forever, name="sending-loop", daemon=True).start()
            _loops[pid] = loop
        return _loops[pid]


def lag_s() -> float:
    """Return how late this process's loop was when it was last looked at: its own slowness."""
    return _lags.get(os.getpid(), 0.0)


def _measure(loop: asyncio.AbstractEventLoop, due: float) -> None:
    _lags[os.getpid()] = loop.time() - due
    again = loop.time() + _MEASURE_EVERY_S
    loop.call_at(again, _measure, loop, again)
