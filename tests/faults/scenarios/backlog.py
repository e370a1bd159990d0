"""More than the workers can take: a backlog that waits for them, and a load above what they manage."""

import re
import threading

import psutil

from tests.faults.ledger import arrivals
from tests.faults.producers import Diary, HttpProducer
from tests.faults.run import scenario
from tests.faults.stage import Stage
from tests.faults.system import WORKER_CHILDREN

_MIB = 2**20
_SLOTS = 4


@scenario(
    "G4",
    "many rows due and no doorbells, workers away, then back",
    TOCSIN_OPEN_ROWS_MAX="0",
    TOCSIN_SWEEP_SLOW_S="0",  # so that the log has the time of every sweep
)
def backlog_without_workers(stage: Stage) -> None:
    """The sweep stays quick, workers drain by themselves, and CRITICAL events do not wait for NORMAL ones."""
    system, count = stage.system, stage.scaled(500_000, 4_000)
    system.simulator.misbehave("telegram", latency_ms=20)
    for name in system.workers:
        system.supervisor.children[name].stop()
    waiting = stage.publish(count, priority="NORMAL", batch=500)
    stage.until(lambda: waiting.done, within_s=stage.scaled(1_200, 60), what="the backlog is accepted")
    with system.redis() as client:
        client.flushall()
    # Not all: the sweep rings for the first ones at once, and puts off its next look at them.
    stage.until(lambda: _due(stage) >= 0.9 * count, within_s=120, what="the rows are due")
    updates, before = _updates(stage), len(_sweeps_s(stage))
    for name in system.workers:
        system.supervisor.restart(name)
    system.until_ready()
    urgent = stage.publish(stage.scaled(2_000, 60), rate=stage.scaled(10, 6), batch=1)
    stage.struck()
    drained_s = stage.settle(within_s=stage.scaled(1_800, 90))
    stage.pause(2)  # Postgres' counters are up to a second late
    each = (_updates(stage) - updates) / (count + len(urgent._items))
    stage.figure("drained, deliveries/s", count / drained_s)
    stage.figure("updates a delivery", f"{each:.2f}", limit="≤ 2.5", holds=each <= 2.5)
    sweeps = _sweeps_s(stage)[before:]
    stage.figure(
        "sweeps since then", len(sweeps), limit=f"≥ {drained_s // 2:.0f}", holds=len(sweeps) >= drained_s // 2
    )
    slowest = max(sweeps, default=0.0)
    stage.figure("slowest sweep, s", f"{slowest:.2f}", limit="< 0.5", holds=slowest < 0.5)
    _first_try(stage, [item["event_id"] for item in urgent._items])


@scenario(
    "G3",
    "twice the load that the workers manage",
    TOCSIN_SEND_CONCURRENCY=str(_SLOTS),
    TOCSIN_OPEN_ROWS_MAX="400",
)
def twice_the_load(stage: Stage) -> None:
    """What is too much is refused with a time to come back, CRITICAL goes on, and no memory grows."""
    system, seconds = stage.system, stage.scaled(600, 30)
    system.simulator.misbehave("telegram", latency_ms=200)
    rate = 2 * len(system.workers) * WORKER_CHILDREN * _SLOTS * 1000 // 200
    load = stage.publish(rate * seconds, priority="NORMAL", rate=rate, batch=5, senders=16)
    own = Diary()
    items = stage.items(5 * seconds)
    urgent = HttpProducer(system.url, system.api_key, items, rate=5, batch=1, diary=own).start()
    memory = _Memory(stage)
    urgent.join(seconds + 30)
    grown = memory.grown_mib()
    stage.struck()
    stage.diary.submitted |= own.submitted
    stage.diary.acked |= own.acked
    stage.settle(within_s=2 * seconds + 60)
    refused, without = stage.diary.statuses["503"], stage.diary.without_retry_after
    stage.figure("NORMAL refused with 503", refused, limit="≥ 1", holds=refused >= 1)
    stage.figure("503 without Retry-After", without, limit="0", holds=not without)
    answers = " ".join(sorted(own.statuses))
    stage.figure("answers to CRITICAL", answers, limit="202", holds=set(own.statuses) <= {"202", "200"})
    stage.figure("memory of gateway and Valkey, MiB more", grown, limit="< 64", holds=grown < 64)
    stage.figure("load", f"{rate} a second, {len(load._items)} events")
    stage.diary.statuses += own.statuses
    _first_try(stage, [item["event_id"] for item in items], acked=own.acked)


class _Memory:
    """Samples the memory of the processes that a load could fill."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._web = psutil.Process(stage.system.supervisor.children["web"].pid)
        self._samples: list[float] = []
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def grown_mib(self) -> float:
        """Stop, and return by how much the second half's most is above the first half's."""
        self._stopped.set()
        self._thread.join(10)
        half = len(self._samples) // 2
        return max(self._samples[half:], default=0.0) - max(self._samples[:half], default=0.0)

    def _sample(self) -> None:
        with self._stage.system.redis() as client:
            while not self._stopped.wait(1):
                used = client.info("memory")["used_memory"] + self._web.memory_info().rss
                self._samples.append(used / _MIB)


def _first_try(stage: Stage, ids: list[str], *, acked: dict[str, float] | None = None) -> None:
    accepted = acked if acked is not None else stage.diary.acked
    first: dict[str, float] = {}
    for ref, _, at in arrivals(stage.system.written_log(), stage.run):
        first.setdefault(ref, at)
    waits = sorted(first.get(key, float("inf")) - accepted[key] for key in ids if key in accepted)
    slowest = waits[-1] if waits else float("inf")
    stage.figure("CRITICAL to its first try, most s", slowest, limit="< 5", holds=slowest < 5)


def _due(stage: Stage) -> int:
    sql = "SELECT count(*) FROM notifications_delivery WHERE ring_at <= now() AND state = 'pending'"
    return int(stage.system.query(sql)[0][0])


def _updates(stage: Stage) -> int:
    sql = "SELECT n_tup_upd FROM pg_stat_user_tables WHERE relname = 'notifications_delivery'"
    return int(stage.system.query(sql)[0][0])


def _sweeps_s(stage: Stage) -> list[float]:
    """Return how long each sweep took, by the control worker's log."""
    text = stage.system.supervisor.children["control"].log_text()
    return [float(took) for took in re.findall(r'"sweep_slow".*?"took_s": ([\d.]+)', text)]
