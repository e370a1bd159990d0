"""Bringing written events to the disk: one fsync for all threads that wait for it."""

from __future__ import annotations

import logging
import os
import threading
from typing import Optional

log = logging.getLogger("tocsin")

_sync = getattr(os, "fdatasync", os.fsync)


class Syncing:
    """A thread that calls fsync on a file whenever something was written to it.

    While one fsync runs, others write and wait: the next fsync is for all of them.
    """

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_RDWR)
        self._changed = threading.Condition()
        self._written = self._synced = 0
        self.count = 0  # of fsyncs
        self._error: Optional[OSError] = None
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="tocsin-sync", daemon=True)
        self._thread.start()

    def wrote(self) -> int:
        """Note that something was written; return the number to `wait` for."""
        with self._changed:
            self._written += 1
            self._changed.notify_all()
            return self._written

    def wait(self, number: int) -> None:
        """Return once what was written up to `number` is on the disk. Raises: OSError."""
        with self._changed:
            while self._synced < number and self._error is None:
                self._changed.wait()
            if self._error is not None:
                raise self._error

    def _run(self) -> None:
        while True:
            with self._changed:
                while self._written == self._synced and not self._stopping:
                    self._changed.wait()
                if self._written == self._synced:
                    return
                up_to = self._written
            try:
                _sync(self._file)
            except OSError as error:  # the kernel may have dropped the pages: no later fsync makes it good
                log.critical("journal_not_synced", exc_info=True)
                with self._changed:
                    self._error = error
                    self._changed.notify_all()
                return
            with self._changed:
                self._synced = up_to
                self.count += 1
                self._changed.notify_all()

    def close(self) -> None:
        """Bring the rest to the disk, and end."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._thread.join()
        os.close(self._file)
