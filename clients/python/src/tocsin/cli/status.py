"""`tocsin status`: what waits in the journal, and why."""

from __future__ import annotations

import os
from argparse import Namespace

from tocsin import acks
from tocsin.cli.show import line
from tocsin.journal import Journal, State
from tocsin.options import target
from tocsin.sending import ERROR

_LATEST = 5


def run(options: Namespace) -> int:
    """Return 0 if events go out, 1 if something keeps them."""
    where = target(options.url, key=options.key, source=options.source, journal=options.journal)
    print(f"journal   {where.journal}")
    if not os.path.exists(where.journal):
        print("          nothing was published with it yet")
        return 0
    journal = Journal(where.journal)
    counts = journal.counts()
    print(f"waiting   {counts.get(State.WAITING, 0)}")
    print(f"accepted  {counts.get(State.ACCEPTED, 0)}, without a final ack yet")
    print(f"ended     {counts.get(State.ENDED, 0) + counts.get(State.TOLD, 0)} within the last hour")
    print(f"sender    {'a process has it' if _is_sent(journal) else 'no process runs with this journal'}")
    for row in journal.latest(limit=_LATEST):
        print(f"          {line(acks.from_text(row.ack)) if row.ack else f'{row.event_id}  waits'}")
    error = journal.note(ERROR)
    if error:
        print(f"error     {error}")
    journal.close()
    return 1 if error else 0


def _is_sent(journal: Journal) -> bool:
    taken = journal.sender_lock.take()
    journal.sender_lock.release()
    return not taken
