"""One event loop thread per worker process, started at the first use.

An asyncio client that is created at import, or used under `asyncio.run`, fails at every second call in a
prefork worker. Clients created on this loop live as long as the process.
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
    pid = os.getpid()  # a forked child must not use its parent's loop, which does not run there
    with _lock:
        if pid not in _loops:
            loop = asyncio.new_event_loop()
            loop.call_soon(_measure, loop, loop.time())
            threading.Thread(target=loop.run_forever, name="sending-loop", daemon=True).start()
            _loops[pid] = loop
        return _loops[pid]


def lag_s() -> float:
    """Return the lag of this process's loop at its last measurement."""
    return _lags.get(os.getpid(), 0.0)


def _measure(loop: asyncio.AbstractEventLoop, due: float) -> None:
    _lags[os.getpid()] = loop.time() - due
    again = loop.time() + _MEASURE_EVERY_S
    loop.call_at(again, _measure, loop, again)
