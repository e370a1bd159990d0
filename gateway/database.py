"""Database work of sockets, on a few threads of its own: no socket waits for a slow page of the HTTP side."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from channels.db import DatabaseSyncToAsync

THREADS = 4  # each holds one connection of the pool at most, and only while it works

T = TypeVar("T")

_threads = ThreadPoolExecutor(THREADS, thread_name_prefix="sockets")


async def in_thread(function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Run `function` on one of the threads; its connection goes back to the pool afterwards.

    Raises: what the function raises, database errors among it.
    """
    call = DatabaseSyncToAsync(function, thread_sensitive=False, executor=_threads)
    result: T = await call(*args, **kwargs)
    return result
