"""The journal's file: what it survives, and who sends from it."""

import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tocsin import EventPublisher, JournalError
from tocsin.journal import Entry, Journal, State, Syncing
from tocsin.journal.store import Change

from config.env import ROOT
from tests.kit.eventually import eventually

SOURCES = ROOT / "clients/python/src"
PUBLISH = """
import os, sys
from tocsin import Event, EventPublisher
publisher = EventPublisher(sys.argv[1], key="tsn_test_key", journal=sys.argv[2], timeout_s=5)
for number in range(int(sys.argv[4])):
    print(publisher.publish(Event("a", "X_Y", event_id=f"{sys.argv[3]}-{number}")).event_id, flush=True)
os.kill(os.getpid(), 9)
"""


def killed_after(server, journal: Path, name: str, count: int) -> list[str]:
    """Let another process publish, which is killed at once; return the ids of what it was promised."""
    done = subprocess.run(
        [sys.executable, "-c", PUBLISH, server.url, str(journal), name, str(count)],
        env=os.environ | {"PYTHONPATH": str(SOURCES)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -9, done.stderr
    return done.stdout.split()


def test_what_a_killed_process_was_promised_is_sent(server, journal, publish_to) -> None:
    promised = killed_after(server, journal, "k", 20)
    assert len(promised) == 20
    publisher = publish_to()
    assert publisher.flush(10)
    assert set(promised) == set(server.ids)


def test_one_process_sends_for_all_and_another_takes_over(server, journal, publish_to) -> None:
    first, second = publish_to(), publish_to()
    eventually(lambda: first._engine().journal.sender_lock.held)
    assert second.critical("a", "X_Y").wait_final(5).delivered
    assert not second._engine().journal.sender_lock.held
    first.close()
    assert second.critical("a", "X_Y").wait_final(5).delivered
    assert second._engine().journal.sender_lock.held


def test_a_forked_child_publishes_for_itself(server, publish_to) -> None:
    publisher = publish_to()
    publisher.critical("a", "X_Y", event_id="parent").wait_final(5)
    child = os.fork()
    if not child:
        try:
            publisher.critical("a", "X_Y", event_id="child").wait_final(5)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert server.ids == ["parent", "child"]
    assert publisher.critical("a", "X_Y").wait_final(5).delivered


def test_one_fsync_is_for_all_who_wait(journal, monkeypatch) -> None:
    made = Journal(str(journal))
    for number in range(200):
        last = made.add([Entry(f"e{number}", "{}")], now=1.0)
    made.wait(last)
    assert made._syncing is not None
    assert made._syncing.count < 100
    made.close()


def test_a_disk_that_fails_takes_nothing_more(journal) -> None:
    made = Journal(str(journal))
    assert made._syncing is not None
    os.close(made._syncing._file)
    with pytest.raises(JournalError):
        made.wait(made.add([Entry("e", "{}")], now=1.0))


def test_an_event_never_goes_back(journal) -> None:
    made = Journal(str(journal))
    made.add([Entry("e", "{}")], now=1.0)
    made.change([Change("e", State.ENDED, 0.0, "{}")])
    assert made.change([Change("e", State.ACCEPTED, 0.0, "{}")]) == []
    assert [row.state for row in made.latest(limit=1)] == [State.ENDED]
    made.close()


def test_what_ended_is_removed_after_an_hour(journal) -> None:
    made = Journal(str(journal))
    now = time.time()
    made.add([Entry("old", "{}"), Entry("new", "{}")], now=now)
    for event_id, at in (("old", now - 3_700), ("new", now)):
        made.change([Change(event_id, State.ENDED, at)])
        made.told([event_id], now=at)
    made.tidy(now=now)
    assert [row.event_id for row in made.latest(limit=9)] == ["new"]
    made.close()


def test_a_journal_that_cannot_be_used_says_what_to_do(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError, match="journal="):
        EventPublisher("http://127.0.0.1:1", key="k", journal=tmp_path / "file" / "journal")


def test_a_journal_of_a_newer_client_is_left_alone(journal) -> None:
    with sqlite3.connect(journal) as file:
        file.execute("PRAGMA user_version = 99")
    file.close()
    with pytest.raises(JournalError, match="newer"):
        Journal(str(journal))


def test_only_its_owner_reads_it(journal) -> None:
    Journal(str(journal)).close()
    assert journal.stat().st_mode & 0o077 == 0


def test_syncing_ends_with_everything_on_the_disk(tmp_path) -> None:
    path = tmp_path / "file"
    path.write_text("")
    syncing = Syncing(str(path))
    number = syncing.wrote()
    syncing.close()
    syncing.wait(number)


def test_a_journal_that_somebody_removed_is_reported_and_what_is_here_is_sent(journal, caplog) -> None:
    made = Journal(str(journal))
    made.add([Entry("e", "{}")], now=1.0)
    for file in journal.parent.iterdir():
        file.unlink()
    made.tidy(now=2.0)
    assert "is gone" in caplog.text
    assert [row.event_id for row in made.waiting(now=2.0, limit=9)] == ["e"]
    made.close()
