"""Database work of the event loop, on threads of its own, so that a slow Django page does not delay it.

Each thread holds at most one connection of the pool, and only while it works.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from channels.db import DatabaseSyncToAsync

T = TypeVar("T")


class Threads:
    """A fixed number of threads for one kind of work."""

    def __init__(self, name: str, count: int) -> None:
        self.count = count
        self._executor = ThreadPoolExecutor(count, thread_name_prefix=name)

    async def run(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Run `function` on one of the threads; it returns its connection to the pool afterwards.

        Raises: what the function raises, such as database errors.
        """
        call = DatabaseSyncToAsync(function, thread_sensitive=False, executor=self._executor)
        result: T = await call(*args, **kwargs)
        return result


in_thread = Threads("sockets", 4).run
publishing = Threads("publishing", 4)
