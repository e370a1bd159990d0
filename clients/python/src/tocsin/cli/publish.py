"""`tocsin publish`: one event, and what became of it."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from typing import Any

from tocsin.cli.show import line
from tocsin.errors import InvalidEvent, NotFinal
from tocsin.events import Event
from tocsin.publisher import EventPublisher


def run(options: Namespace) -> int:
    """Return 0 if it was delivered, 1 if it was not or goes on."""
    event = _event(options)
    journal = options.journal
    with EventPublisher(options.url, key=options.key, source=options.source, journal=journal) as publisher:
        published = publisher.publish(event)
        try:
            ack = published.wait_final(options.wait)
        except NotFinal as error:
            print(error)
            return 1
    print(line(ack))
    return 0 if ack.delivered else 1


def _event(options: Namespace) -> Event:
    words = {"title": options.title, "body": options.body}
    return Event(
        user_id=options.user,
        topic=options.topic,
        event_type=options.type,
        payload=_payload(options.payload),
        priority=options.priority,
        event_id=options.id,
        channels=options.channel,
        content={name: text for name, text in words.items() if text},
    )


def _payload(given: str) -> Any:
    text = sys.stdin.read() if given == "-" else given
    try:
        return json.loads(text)
    except ValueError as error:
        raise InvalidEvent("invalid_json", f"Give a JSON object: {error}", "payload") from error
