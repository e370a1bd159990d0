"""Effects after the commit, run on a thread so that no request waits for a broker.

An error here loses no row: rows stay due, and the sweep finds them. A burst of effects costs few messages,
and a single one does not wait.
"""

import logging
from collections.abc import Sequence

from django.db import connection

from notifications import tasks
from notifications.effects import Effects
from runtime.batching import ThreadBatcher

log = logging.getLogger(__name__)


def _run(gathered: Sequence[Effects]) -> None:
    whole = Effects()
    for effects in gathered:
        whole.add(effects)
    try:
        tasks.run_effects(whole)
    except Exception:
        log.exception("doorbell_failed")
    finally:
        if whole.freed:
            connection.close()  # back to the pool: this thread seldom needs one


_doorbell = ThreadBatcher("doorbell", _run)


def run_effects_later(effects: Effects) -> None:
    """Run effects in the background: for processes that answer requests, such as the gateway."""
    if effects:
        _doorbell.put(effects)


def flush() -> None:
    """Wait until all effects handed over so far have run. For a graceful stop, and for tests."""
    _doorbell.flush()
