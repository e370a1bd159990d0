"""Ctrl-C before the processes run: it ends the start, but not between a server's start and its note."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sandbox.system.processes import INTERRUPTIONS

_held = False
_pending = False


class Interrupted(Exception):
    """A signal such as Ctrl-C arrived before the processes ran."""


def on_signals(handler: "Callable[[int, object], None] | signal.Handlers") -> None:
    """Let this handler have every interruption."""
    for number in INTERRUPTIONS:
        signal.signal(number, handler)


def interrupt(*_: object) -> None:
    """End the start, now or when `held` ends. A further Ctrl-C must not interrupt the stopping."""
    global _pending
    on_signals(signal.SIG_IGN)
    if not _held:
        raise Interrupted
    _pending = True


@contextmanager
def held() -> Iterator[None]:
    """Hold an interruption back: a server that has just been started must be known to be stopped."""
    global _held, _pending
    _held = True
    try:
        yield
    finally:
        _held = False
    if _pending:
        _pending = False
        raise Interrupted
