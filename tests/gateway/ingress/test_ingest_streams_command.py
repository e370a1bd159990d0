"""`manage.py ingest_streams` as a process of its own."""

import os
import signal
import subprocess
import sys

from django.db import connection

from config.env import ROOT
from notifications.models import Event
from tests.gateway.other_ends import Stream
from tests.gateway.servers import database_url
from tests.kit.eventually import eventually


def test_sigterm_ends_it_with_code_0_and_nothing_half_done(stream: Stream) -> None:
    stream.client.delete("tocsin:events")  # it creates the group by itself
    env = os.environ | {
        "DJANGO_SETTINGS_MODULE": "config.settings.test",
        "DATABASE_URL": database_url(connection.settings_dict["NAME"]),
    }
    process = subprocess.Popen(
        [sys.executable, "manage.py", "ingest_streams"], cwd=ROOT, env=env, stderr=subprocess.DEVNULL
    )
    try:
        for number in range(200):
            stream.add(event_id=f"e-{number}")
        eventually(lambda: len(stream.acks()) >= 1, within_s=30)
        for number in range(200, 1_000):
            stream.add(event_id=f"e-{number}")
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
    assert stream.pending == 0
    assert Event.objects.count() + stream.length == 1_000
    final = [ack.event_id for ack in stream.acks() if ack.final]
    assert len(final) == len(set(final))
