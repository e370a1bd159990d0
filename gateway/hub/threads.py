"""Database work of the event loop, on a few threads of its own: nobody waits for a slow page of Django's.

Each thread holds one connection of the pool at most, and only while it works.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from channels.db import DatabaseSyncToAsync

T = TypeVar("T")


class Threads:
    """So many threads, for one kind of work."""

    def __init__(self, name: str, count: int) -> None:
        self.count = count
        self._executor = ThreadPoolExecutor(count, thread_name_prefix=name)

    async def run(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Run `function` on one of the threads; its connection goes back to the pool afterwards.

        Raises: what the function raises, database errors among it.
        """
        call = DatabaseSyncToAsync(function, thread_sensitive=False, executor=self._executor)
        result: T = await call(*args, **kwargs)
        return result


in_thread = Threads("sockets", 4).run
publishing = Threads("publishing", 4)
