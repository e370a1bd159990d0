"""A producer with a journal that kills itself at one step: `python -m tests.faults.journal_process PLAN`.

It publishes what is not noted as promised yet, and notes each event that `publish` returned for, and each
final ack. The notes are appended with one write each, which a kill does not undo.
"""

import itertools
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import tocsin
from tocsin.engine import Engine
from tocsin.options import Target

FLUSH_S = 300.0


class Dying:
    """Passes every call on; the process is killed before or after the given call of one of them."""

    def __init__(self, part: Any, name: str, when: str, number: int) -> None:
        self._part = part
        self._name = name
        self._when = when
        self._left = itertools.count(number - 1, -1)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._part, name)
        return found if name != self._name else lambda *values, **named: self._call(found, values, named)

    def _call(self, call: Any, values: tuple, named: dict) -> Any:
        last = next(self._left) == 0
        if last and self._when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = call(*values, **named)
        if last:
            os.kill(os.getpid(), signal.SIGKILL)
        return result


class Producer(tocsin.EventPublisher):
    """A publisher one of whose parts may be `Dying`."""

    def __init__(self, plan: dict, **options: Any) -> None:
        self._plan = plan
        super().__init__(**options)

    def _started(self, where: Target) -> Engine:
        engine_of = tocsin.publisher.Engine
        step = self._plan.get("step")

        def dying(part: str, made: Any) -> Any:
            mine = step is not None and step["part"] == part
            return Dying(made, step["name"], step["when"], step["number"]) if mine else made

        return engine_of(
            dying("journal", tocsin.publisher.Journal(where.journal)),
            dying("transport", tocsin.publisher.transport_for(where.url, where.options)),
            on_ack=self._on_ack,
        ).start()


class Notes:
    """Lines of a file, each appended with one write."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def add(self, line: str) -> None:
        os.write(self._file, f"{line}\n".encode())


def to_event(item: dict) -> tocsin.Event:
    return tocsin.Event(
        item["user_id"],
        item["type_name"],
        item["payload"],
        item["delivery"]["priority"],
        event_id=item["event_id"],
        timestamp=item["timestamp"],
    )


def main(plan: dict) -> int:
    """Publish what is left, and wait for every final ack; returns 0 if all came."""
    promised, finals = Notes(plan["promised"]), Notes(plan["finals"])
    done = set(Path(plan["promised"]).read_text().split())

    def heard(ack: tocsin.Ack) -> None:
        if ack.final:
            finals.add(f"{ack.event_id} {ack.status} {ack.code}")

    with Producer(plan, **plan["target"], on_ack=heard) as publisher:
        for item in plan["items"]:
            if item["event_id"] not in done:
                publisher.publish(to_event(item))
                promised.add(item["event_id"])
        return 0 if publisher.flush(FLUSH_S) else 1


if __name__ == "__main__":
    sys.exit(main(json.loads(Path(sys.argv[1]).read_text())))
