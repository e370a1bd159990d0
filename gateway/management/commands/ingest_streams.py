"""`manage.py ingest_streams`: consume the Redis stream, and send acks to reply streams and callbacks."""

import gc
import os
import signal
import socket
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from gateway.ingress import callbacks, replies, streams
from notifications import dispatch
from runtime.postgres import clock
from runtime.start import refuse_unsafe_start


class Command(BaseCommand):
    help = "Consume the Redis stream tocsin:events; send acks to tocsin:acks:<source> and callbacks."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--consumer",
            default=f"{socket.gethostname()}-{os.getpid()}",
            help="Name in the consumer group; each process needs its own.",
        )

    def handle(self, *args: Any, consumer: str, **options: Any) -> None:
        refuse_unsafe_start()
        clock.refuse_skew()
        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
        _collect_seldom()
        client = streams.connect(settings.REDIS_URL)
        outboxes = [
            threading.Thread(target=replies.run, args=(client, stopping), name="replies"),
            threading.Thread(target=callbacks.run, args=(stopping,), name="callbacks"),
        ]
        for outbox in outboxes:
            outbox.start()
        try:
            streams.StreamIngress(client, consumer).run(stopping)
        finally:
            stopping.set()
            for outbox in outboxes:
                outbox.join()
            dispatch.flush()


def _collect_seldom() -> None:
    """Look for cycles seldom: a batch makes tens of thousands of objects, and they end with it."""
    gc.freeze()  # and never among what has just been loaded
    gc.set_threshold(20_000)
