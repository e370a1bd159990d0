"""`manage.py replay`, as an operator types it."""

import io
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command

from notifications.models import Delivery, Event, Replay
from notifications.states import EventState, Priority


@pytest.fixture
def dead(desk, ada, chat):
    """Three dead letters, of which the last one is CRITICAL. No page was open, and no chat was known."""
    priorities = [Priority.NORMAL, Priority.NORMAL, Priority.CRITICAL]
    return [
        desk.event(ada, event_id=f"e{number}", priority=priority)
        for number, priority in enumerate(priorities)
    ]


def run(*words: str) -> str:
    output = io.StringIO()
    call_command("replay", *words, stdout=output)
    return output.getvalue()


def test_a_dry_run_counts_and_writes_nothing(dead) -> None:
    assert run("--dry-run").startswith("3 events would be sent\n")
    assert (Replay.objects.count(), Delivery.objects.count()) == (0, 0)


def test_ids_are_sent_and_rung_for(dead, doorbells) -> None:
    assert "2 accepted again" in run("e0", "e2", "--yes")
    rung = {(queue, ids) for queue, _, ids in doorbells.take()}
    assert rung == {
        ("critical" if row.priority == Priority.CRITICAL else "normal", str(row.pk))
        for row in Delivery.objects.all()
    }
    row = Replay.objects.get()
    assert (row.surface, row.filter, row.count) == ("command", {"event_ids": ["e0", "e2"]}, 2)
    assert row.who


@pytest.mark.parametrize(
    ("words", "count"),
    [
        (["--priority", "CRITICAL"], 1),
        (["--user", "ada", "--type", "ORDER_FILLED", "--source", "exchange"], 3),
        (["--user", "bob"], 0),
        (["--state", "expired"], 0),
        (["--state", "failed"], 3),
    ],
)
def test_filters_narrow(dead, words, count) -> None:
    assert run("--dry-run", *words).startswith(f"{count} events")


def test_times_narrow(dead, now) -> None:
    later = (now + timedelta(seconds=1)).isoformat()
    assert run("--dry-run", "--from", now.isoformat(), "--to", later).startswith("3 events")
    assert run("--dry-run", "--from", later).startswith("0 events")


@pytest.mark.parametrize("words", [["--from", "yesterday"], ["--state", "accepted"], ["--priority", "LOW"]])
def test_what_is_not_understood_is_refused(dead, words) -> None:
    with pytest.raises((CommandError, ValueError)):
        run("--dry-run", *words)


def test_reasons_are_told(dead, doorbells) -> None:
    run("e0", "--yes")
    assert run("e0", "nobody", "--yes") == "0 events would be sent (left alone: 1 not_found, 1 running)\n"


def test_force_sends_what_was_delivered(dead, now) -> None:
    Event.objects.filter(event_id="e0").update(state=EventState.DELIVERED, delivered_via=2)
    assert run("e0", "--dry-run").startswith("0 events")
    assert run("e0", "--dry-run", "--force").startswith("1 events")
