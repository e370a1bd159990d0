"""`/metrics` for Prometheus: gauges of the guarantee and counters of all processes, read at each scrape.

The gateway's own counters are those of the process that is scraped.
"""

import logging
import os
from collections.abc import Callable, Iterator

import redis
from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest, multiprocess
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from notifications.delivery import channel_health
from notifications.operations import canary, clocks, monitor
from runtime.postgres import clock
from runtime.postgres.away import DATABASE_AWAY
from runtime.redis.counters import SharedCounter

log = logging.getLogger(__name__)


async def metrics(request: HttpRequest) -> HttpResponse:
    """Answer also while Postgres or Redis is away: its gauges are then missing, and `tocsin_up` is 0."""
    text = await sync_to_async(_exposition)()
    return HttpResponse(text, content_type=CONTENT_TYPE_LATEST)


def _exposition() -> bytes:
    guarantee = CollectorRegistry()
    guarantee.register(_Guarantee())
    return generate_latest(guarantee) + generate_latest(_processes())


def _processes() -> CollectorRegistry:
    """Return this process's counters, or those of all that share `PROMETHEUS_MULTIPROC_DIR`."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    shared = CollectorRegistry()
    multiprocess.MultiProcessCollector(shared)  # type: ignore[no-untyped-call]
    return shared


class _Guarantee(Collector):
    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily(
            "tocsin_up", "1 if the server that the gauges are read from answers, else 0", labels=["what"]
        )
        for what, read in (("postgres", _rows), ("redis", _shared)):
            found = _read(what, read)
            up.add_metric([what], float(bool(found)))
            yield from found
        yield up

    def describe(self) -> list[Metric]:
        return []  # so that registering makes no query


def _read(what: str, read: Callable[[], list[Metric]]) -> list[Metric]:
    try:
        return read()
    except (*DATABASE_AWAY, redis.RedisError) as error:
        log.warning("metrics_incomplete", extra={"what": what, "error": type(error).__name__})
        return []


def _rows() -> list[Metric]:
    found = monitor.snapshot(now=clock.now())
    oldest = "Age of the oldest unfinished CRITICAL event; 0: none"
    return [
        GaugeMetricFamily("tocsin_oldest_critical_seconds", oldest, value=found.oldest_critical_s),
        _labelled(
            "tocsin_stuck_rows",
            "Rows that nothing processes: due for a minute, or accepted with nothing due",
            "kind",
            {"overdue": found.overdue, "orphaned": found.orphaned},
        ),
        _labelled("tocsin_unfinished_events", "Accepted and not ended", "priority", found.unfinished),
        GaugeMetricFamily("tocsin_dead_letters", "Events that have failed", value=found.dead_letters),
        _labelled("tocsin_recent_events", "Accepted in the last 5 minutes, by state", "state", found.recent),
    ]


def _shared() -> list[Metric]:
    opened = channel_health.open_breakers()
    return [
        _canaries(),
        _labelled(
            "tocsin_clock_skew_seconds",
            "A process's clock ahead of the database's",
            "process",
            clocks.skews(),
        ),
        _labelled("tocsin_breaker_open", "1 while the channel's breaker is not closed", "channel", opened),
        *(_counted(counter) for counter in SharedCounter.all),
    ]


def _counted(counter: SharedCounter) -> Metric:
    family = CounterMetricFamily(counter.name, counter.text, labels=counter.labels)
    for labels, count in counter.values().items():
        family.add_metric(labels, count)
    return family


def _clock_skews() -> Metric:
    text = "How far the clock of a process's host is ahead of the database's"
    return _labelled("tocsin_clock_skew_seconds", text, "process", clocks.skews())


def _canaries() -> Metric:
    ages = canary.ages(now=clock.now())
    known = {queue: float("inf") if age is None else age for queue, age in ages.items()}
    return _labelled("tocsin_canary_age_seconds", "Time since the last canary; +Inf: never", "queue", known)


def _labelled(name: str, text: str, label: str, values: "dict[str, int] | dict[str, float]") -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family
