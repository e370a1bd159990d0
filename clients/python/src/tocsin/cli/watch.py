"""`tocsin watch`: events as they come to their ends."""

from __future__ import annotations

import json
import os
import time
from argparse import Namespace
from collections.abc import Iterator
from typing import Any, Dict, List, Mapping, Optional

from tocsin import acks
from tocsin.cli.show import line
from tocsin.errors import TransportError
from tocsin.journal import Journal, State
from tocsin.options import target
from tocsin.transports import transport_for
from tocsin.transports.http import HttpTransport

_EVERY_S = 0.25
_POLL_S = 20.0
_LATEST = 1_000


def run(options: Namespace) -> int:
    """Return 0 once the events have ended, 1 after the timeout."""
    where = target(options.url, key=options.key, source=options.source, journal=options.journal)
    deadline = time.monotonic() + options.timeout if options.timeout else None
    journal = Journal(where.journal) if os.path.exists(where.journal) else None
    wanted: List[str] = options.event_ids
    asked = [one for one in wanted if journal is None or journal.find(one) is None]
    if asked:
        transport = transport_for(where.url, where.options)
        if not isinstance(transport, HttpTransport):
            raise ValueError(
                f"{asked[0]} is not in the journal; another producer's event is asked over HTTP."
            )
        ended = [_ask(transport, one, deadline) for one in asked]
        return int(not all(ended))
    if journal is None:
        raise ValueError(f"There is no journal {where.journal}: nothing was published with it yet.")
    return _follow(journal, set(wanted), deadline)


def _follow(journal: Journal, wanted: set[str], deadline: Optional[float]) -> int:
    """Print each change in the journal until all wanted events have ended, or for ever."""
    shown: Dict[str, str] = {}
    ended: set[str] = set()
    if not wanted:
        shown.update((row.event_id, row.ack) for row in journal.latest(limit=_LATEST))
    while not wanted or wanted - ended:
        if deadline is not None and time.monotonic() > deadline:
            return int(bool(wanted))
        for row in reversed(journal.latest(limit=_LATEST)):
            if (not wanted or row.event_id in wanted) and shown.get(row.event_id, "") != row.ack:
                shown[row.event_id] = row.ack
                print(line(acks.from_text(row.ack)), flush=True)
            if row.state >= State.ENDED:
                ended.add(row.event_id)
        time.sleep(_EVERY_S)
    return 0


def _ask(transport: HttpTransport, event_id: str, deadline: Optional[float]) -> bool:
    """Print what the service says of an event each time that it changes; return whether it has ended."""
    last = ""
    while True:
        left_s = _POLL_S if deadline is None else deadline - time.monotonic()
        story = transport.story(event_id, wait_s=max(min(left_s, _POLL_S), 0.0) if last else 0.0)
        text = "\n".join(_lines(story))
        if text != last:
            print(text, flush=True)
        last = text
        if story["ack"]["final"]:
            return True
        if left_s <= 0:
            return False


def _lines(story: Mapping[str, Any]) -> Iterator[str]:
    try:
        yield line(acks.from_json(story["ack"]))
    except (KeyError, TypeError, ValueError) as error:
        raise TransportError("garbled", f"no event: {json.dumps(story)[:100]}") from error
