"""Postgres restarted at once, and transactions that commit late."""

import threading
import time

import psycopg

from tests.faults.judging import judge_unknown
from tests.faults.run import scenario
from tests.faults.stage import Stage


@scenario("L4", "Postgres restarted five times at once (immediate), under load", mixed=True)
def restart_postgres(stage: Stage) -> None:
    between_s = stage.scaled(12, 1)
    rate = stage.scaled(20_000, 300) / (5 * (between_s + 2))
    producer = stage.publish(rate=rate, batch=stage.scaled(20, 3))
    stream = stage.publish_to_stream(stage.scaled(1_000, 50), rate=stage.scaled(20, 8))
    for _ in range(5):
        stage.pause(between_s)
        stage.system.kill_postgres()
        stage.pause(1)
        stage.system.postgres.start()
    stage.struck()
    took_s = stage.settle()
    _answers(stage)
    judge_unknown(stage, 5 * stage.sends_in_flight(workers=len(stage.system.workers)))
    stage.figure("stream's events all answered", stream.done, limit="True", holds=stream.done)
    stage.figure("all ended after the last restart, s", took_s, limit="≤ 120", holds=took_s <= 120)
    ended = {
        name: child.ends
        for name, child in stage.system.supervisor.children.items()
        if child.ends and name in ("web", "streams", "control", "beat")
    }
    stage.figure("processes that gave up", str(ended or 0), limit="0", holds=not ended)
    stage.figure("slowest answer, s", max(took for _, _, took in producer.diary.answered))


def _answers(stage: Stage) -> None:
    """Record the HTTP responses while it was away, and whether every 2xx was true."""
    diary = stage.diary
    sql = "SELECT event_id FROM notifications_event WHERE event_id LIKE %s"
    false_2xx = diary.acked.keys() - {row[0] for row in stage.system.query(sql, f"{stage.run}-%")}
    refused, silent = diary.statuses["503"], diary.without_retry_after
    others = {
        status: count
        for status, count in diary.statuses.items()
        if not status.startswith("2") and status != "503"
    }
    stage.figure("answers 503 while it was away", refused, limit="≥ 1", holds=refused >= 1)
    stage.figure("503 without Retry-After", silent, limit="0", holds=not silent)
    stage.figure("answers that are neither 2xx nor 503", str(others or 0), limit="0", holds=not others)
    stage.figure("false 2xx", len(false_2xx), limit="0", holds=not false_2xx)


class _Reader:
    """Reads one person's events by `seq`, as a client that resumes does; notes what came too late."""

    def __init__(self, url: str, person: str) -> None:
        self.seen: list[int] = []
        self._url = url
        self._person = person
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(10)

    def _run(self) -> None:
        sql = (
            "SELECT e.seq FROM notifications_event e JOIN users_user u ON u.id = e.person_id"
            " WHERE u.external_id = %s AND e.seq > %s ORDER BY e.seq"
        )
        with psycopg.connect(self._url, autocommit=True) as connection:
            while not self._stopping.is_set():
                last = self.seen[-1] if self.seen else 0
                self.seen += [row[0] for row in connection.execute(sql, [self._person, last])]
                self._stopping.wait(0.005)


@scenario("O3", "transactions that commit late, while readers resume by seq")
def commit_late(stage: Stage) -> None:
    """A reader that has seen seq n never asks below it again: what commits later must not be below."""
    stage.system.supervisor.restart(
        "web", TOCSIN_CRASH=f"accept_before_commit:0.2:pause={0.2}", TOCSIN_CRASH_SEED="5"
    )
    stage.system.until_ready()
    persons = stage.scaled(20, 5)
    items = stage.items(stage.scaled(4_000, 250))
    for number, item in enumerate(items):
        item["user_id"] = f"p{number % persons}"
    readers = {f"p{number}": _Reader(stage.system.postgres.url(), f"p{number}") for number in range(persons)}
    stage.produce(items, batch=1, senders=8)
    stage.settle()
    time.sleep(0.2)  # one last look of every reader
    missed = gaps = 0
    for person, reader in readers.items():
        reader.stop()
        rows = stage.system.query(
            "SELECT e.seq FROM notifications_event e JOIN users_user u ON u.id = e.person_id"
            " WHERE u.external_id = %s ORDER BY e.seq",
            person,
        )
        all_of_them = [row[0] for row in rows]
        missed += len(set(all_of_them) - set(reader.seen))
        gaps += all_of_them != list(range(1, len(all_of_them) + 1))
    stage.figure("events that a resuming reader missed", missed, limit="0", holds=not missed)
    stage.figure("persons with a gap in their seq", gaps, limit="0", holds=not gaps)
    crashes = stage.system.crash_log.read_text() if stage.system.crash_log.exists() else ""
    paused = crashes.count("accept_before_commit pause")
    stage.figure("commits that were late", paused, limit="≥ 10", holds=paused >= 10)
