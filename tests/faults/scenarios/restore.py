"""Postgres restored from a backup, with clients who have seen what came after it."""

import subprocess
import sys

import psycopg

from config.env import ROOT
from tests.faults.live_clients import LiveClients
from tests.faults.run import scenario
from tests.faults.stage import Stage
from tests.kit.sign_in import token_for

_STOPPED = ("web", "streams", "beat", "control")  # and the workers
_PAGE_ONLY = {"priority": "NORMAL", "channels": ["WEB"]}
_SLOW_MS = 1_000  # Telegram's answers while the backup is made: some sends are open in it


class _Pages(LiveClients):
    """Pages as documented: another epoch voids the position, and a snapshot is the newest of the inbox."""

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        self.shown: dict[str, set[str]] = {person: set() for person in self.logs}
        self.new_epochs = 0

    def _take(self, person: str, frame: dict) -> bool:
        log = self.logs[person]
        if frame["type"] == "ready" and log.epoch not in ("", frame["epoch"]):
            log.epoch = ""  # as new
            log.events.clear()
            self.new_epochs += 1
        shown = frame["items"] if frame["type"] == "snapshot" else [frame]
        self.shown[person] |= {item["event_id"] for item in shown if "event_id" in item}
        return super()._take(person, frame)

    @property
    def seen(self) -> set[str]:
        return set().union(*self.shown.values())


@scenario("B1", "Postgres restored from an earlier backup, clients connected")
def restore(stage: Stage) -> None:
    """What came after the backup is gone with it. Of what comes then, no client misses anything."""
    persons, each = stage.scaled(200, 20), stage.scaled(20, 4)
    for code in ("no_channel", "no_session", "unconfirmed"):  # no page is open: it is in the inbox alone
        stage.expect_dead(code)
    pages = _open(stage, persons)
    _publish(stage, _for_pages(stage, persons, each))
    stage.system.simulator.misbehave("telegram", latency_ms=_SLOW_MS)
    _publish(stage, _for_chats(stage, persons, stage.scaled(300, 30)), settle=False)
    _backup(stage)
    stage.system.simulator.behave()
    _publish(stage, _for_pages(stage, persons, each))
    stopped = [*_STOPPED, *stage.system.workers]
    for name in stopped:
        stage.system.supervisor.children[name].stop()
    marked = _restore(stage)
    for name in stopped:
        stage.system.supervisor.restart(name)
    stage.system.until_ready()
    stage.struck()
    new = _for_pages(stage, persons, each)
    stage.produce(new[: len(new) // 2])  # while they reconnect
    stage.until(lambda: pages.new_epochs == persons, within_s=60, what="every client has the new epoch")
    pages.come_and_go(0.3, 1)  # and from here on they resume in it
    _publish(stage, new[len(new) // 2 :], settle=False, rate=stage.scaled(200, 20))
    pages.settle_down()
    stage.until(lambda: not _missed(pages, new), within_s=30, what="every client has every new event")
    took_s = stage.settle()
    missed = len(_missed(pages, new))
    stage.allow_repeats(marked)
    stage.figure("open deliveries in the backup", marked, limit="≥ 1", holds=marked >= 1)
    stage.figure("new events that a client missed", missed, limit="0", holds=not missed)
    stage.figure("all ended after the restore, s", took_s, limit="≤ 60", holds=took_s <= 60)


def _open(stage: Stage, count: int) -> _Pages:
    persons = [f"p{number}" for number in range(count)]
    pages = _Pages(stage.system.port, persons, token_for, seed=stage.random.randrange(2**32)).start()
    stage.clients.append(pages)
    stage.until(pages.all_open, within_s=30, what="every socket is ready")
    return pages


def _for_pages(stage: Stage, persons: int, each: int) -> list[dict]:
    items = stage.items(persons * each)
    for number, item in enumerate(items):
        item |= {"user_id": f"p{number % persons}", "delivery": _PAGE_ONLY}
    return items


def _for_chats(stage: Stage, first: int, count: int) -> list[dict]:
    """Return events for persons without a page, by Telegram alone."""
    items = stage.items(count)
    for number, item in enumerate(items):
        item |= {"user_id": f"p{first + number % (stage.size.persons - first)}"}
        item["delivery"] |= {"channels": ["TELEGRAM"]}
    return items


def _publish(stage: Stage, items: list[dict], *, settle: bool = True, rate: float = 0) -> None:
    """Publish until all are accepted, and with `settle` until all have ended."""
    stage.produce(items, rate=rate, batch=5).join(120)
    if settle:
        stage.settle()


def _missed(pages: _Pages, items: list[dict]) -> list[str]:
    return [item["event_id"] for item in items if item["event_id"] not in pages.shown[item["user_id"]]]


def _backup(stage: Stage) -> None:
    _run(stage.system.postgres.program("pg_dump"), "-Fc", "-f", _file(stage), stage.system.postgres.url())


def _restore(stage: Stage) -> int:
    """Restore as docs/operations.md says; return how many deliveries were marked as possible repeats."""
    postgres = stage.system.postgres
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as admin:
        admin.execute("DROP DATABASE tocsin WITH (FORCE)")
        admin.execute("CREATE DATABASE tocsin")
    _run(postgres.program("pg_restore"), "--exit-on-error", "-d", postgres.url(), _file(stage))
    said = _run(sys.executable, "manage.py", "restored", environment=stage.system.environment)
    return int(said.splitlines()[1].split()[0])


def _file(stage: Stage) -> str:
    return str(stage.system.home / "backup.dump")


def _run(*command: str, environment: "dict[str, str] | None" = None) -> str:
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return done.stdout
