"""After the commit: doorbells and wake-ups, from a thread. Nothing here can lose a row."""

import atexit
import logging
import os
import threading
from queue import Empty, SimpleQueue

from notifications import tasks
from notifications.events import Effects

log = logging.getLogger(__name__)


class _Doorbell:
    """One thread per process that rings, so that no request waits for a broker.

    It takes all that has gathered since its last ring: a burst costs few messages, and a single event
    does not wait.
    """

    def __init__(self) -> None:
        self._todo: SimpleQueue[Effects] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._pid = 0
        self._lock = threading.Lock()

    def put(self, effects: Effects) -> None:
        with self._lock:
            if self._thread is None or self._pid != os.getpid() or not self._thread.is_alive():
                self._pid = os.getpid()
                self._thread = threading.Thread(target=self._run, name="doorbell", daemon=True)
                self._thread.start()
                atexit.register(self.finish)
        self._todo.put(effects)

    def finish(self, timeout_s: float = 3.0) -> None:
        """Ring for what is left; called at exit."""
        thread, self._thread = self._thread, None
        if thread is not None and thread.is_alive():
            self._todo.put(_STOP)
            thread.join(timeout_s)

    def _run(self) -> None:
        stopping = False
        while not stopping:
            gathered = self._gather()
            stopping = any(item is _STOP for item in gathered)
            whole = Effects()
            for item in gathered:
                whole.add(item)
            try:
                tasks.run_effects(whole)
            except Exception:  # the rows stay due; this thread must live on
                log.exception("doorbell_failed")

    def _gather(self) -> list[Effects]:
        items = [self._todo.get()]
        try:
            while True:
                items.append(self._todo.get_nowait())
        except Empty:
            return items


_STOP = Effects()
_doorbell = _Doorbell()


def run_effects_later(effects: Effects) -> None:
    """Ring and tell in the background: for processes that answer somebody, such as the gateway."""
    if effects:
        _doorbell.put(effects)


def flush() -> None:
    """Wait until everything that was handed over has been rung. For a graceful stop, and for tests."""
    _doorbell.finish()
