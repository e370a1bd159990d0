"""Hooks that run before the process ends."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

Hook = Callable[[], Awaitable[None]]

_hooks: list[Hook] = []


def at_shutdown(hook: Hook) -> None:
    """Call `hook` once when all sockets are closed, for example to store data that is only in memory."""
    _hooks.append(hook)


async def run_hooks(within_s: float) -> None:
    """Run all hooks together. One that fails or takes longer is logged and abandoned."""
    results = await asyncio.gather(
        *(asyncio.wait_for(hook(), within_s) for hook in _hooks), return_exceptions=True
    )
    for result in results:
        if isinstance(result, BaseException):
            log.error("shutdown_hook_failed", exc_info=result)
