"""`tocsin doctor`: why events do not go out."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

from tocsin._version import __version__
from tocsin.errors import JournalError
from tocsin.journal import Entry, Journal
from tocsin.options import Target, target
from tocsin.transports import transport_for
from tocsin.transports.base import Finding

_FREE_BYTES = 256 * 1024 * 1024
_SLOW_S = 0.1
_MARKS = {True: "ok", False: "FAIL", None: "look"}


def run(options: Namespace) -> int:
    """Return 0 if nothing is wrong, 1 if something is."""
    where = target(options.url, key=options.key, source=options.source, journal=options.journal)
    wrong = False
    for finding in _findings(where):
        wrong |= finding.ok is False
        print(f"{_MARKS[finding.ok]:<5} {finding.what:<12} {finding.detail}", flush=True)
    return int(wrong)


def _findings(where: Target) -> Iterator[Finding]:
    yield Finding("client", True, f"tocsin-client {__version__}, Python {sys.version.split()[0]}")
    yield from _journal(where.journal)
    try:
        transport = transport_for(where.url, where.options)
    except (ValueError, ImportError) as error:
        yield Finding("transport", False, str(error))
        return
    yield from transport.diagnose()
    transport.close()


def _journal(path: str) -> Iterator[Finding]:
    """Try the journal's folder: another file there, so that no event of the journal is touched."""
    folder = Path(path).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        took_s = _try(folder)
    except (OSError, JournalError) as error:
        yield Finding("journal", False, f"{path}: {error}")
        return
    yield Finding("journal", True, path)
    slow = ": each publish waits for that; is it a network file system?" if took_s > _SLOW_S else ""
    yield Finding("fsync", None if slow else True, f"{took_s * 1000:.1f} ms{slow}")
    free = shutil.disk_usage(folder).free
    yield Finding("disk", free > _FREE_BYTES or None, f"{free // 1024**2:,} MiB free")


def _try(folder: Path) -> float:
    """Return how long an event takes to the disk. Raises: OSError, `JournalError`."""
    with tempfile.TemporaryDirectory(dir=folder, prefix="tocsin-doctor-") as inside:
        journal = Journal(os.path.join(inside, "journal.sqlite3"))
        started = time.perf_counter()
        journal.wait(journal.add([Entry("doctor", "{}")], now=time.time()))
        took_s = time.perf_counter() - started
        journal.close()
    return took_s
