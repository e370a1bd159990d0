"""Quotas of sources: how many events a day, and how many that wait for their end at the same time.

The counts are kept in Redis, one round trip for each source of a batch that has a quota; sources without one
cost nothing. A count that Redis has lost is taken from Postgres again. Of the open ones Postgres is asked
every few seconds, and what was accepted since is added: it is never too low. While Redis is away nothing is
refused. An event that was accepted before is never refused: its producer gets the ack.
"""

import logging
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import redis

from notifications.events import Ack, Envelope, SourceGrant, rejected_ack
from notifications.operations import quota_counts
from notifications.states import AckStatus
from runtime.redis.client import client
from runtime.redis.scripts import Script
from users.models import Source

log = logging.getLogger(__name__)

_QUOTA = Script(Path(__file__).with_name("quota.lua"))
_DAY_KEPT = timedelta(days=2)
_OPEN_KEPT = timedelta(seconds=60)  # `measure` writes it every few seconds

_BY_DAY, _OPEN = 1, 2


def take(batch: Sequence[Envelope], *, now: datetime) -> dict[int, Ack]:
    """Count these events, and return the acks of those that are above a quota of their source, by index.

    What is counted and then not accepted is given back: `settle`, or `give_back` when nothing was.
    """
    refused: dict[int, Ack] = {}
    for source, indexes in _by_source(batch).items():
        granted, refusing = _granted(source, len(indexes), now)
        for index in _unknown(batch, indexes[granted:]):
            refused[index] = _refusal(batch[index], refusing, now)
    return refused


def _by_source(batch: Sequence[Envelope]) -> dict[SourceGrant, list[int]]:
    found: dict[SourceGrant, list[int]] = defaultdict(list)
    for index, envelope in enumerate(batch):
        if envelope.source.events_per_day or envelope.source.open_events:
            found[envelope.source].append(index)
    return found


def _granted(source: SourceGrant, count: int, now: datetime) -> tuple[int, int]:
    """Return how many may be accepted, and which quota refuses the others."""
    try:
        for _ in range(3):
            granted, refusing, missing = _QUOTA(
                client(), _keys(source.id, now), [count, source.events_per_day, source.open_events]
            )
            if not missing:
                return int(granted), int(refusing)
            _seed(source.id, int(missing), now)
    except redis.RedisError as error:
        log.warning("quotas_unavailable", extra={"error": type(error).__name__})
    return count, 0


def _keys(source_id: int, now: datetime) -> list[str]:
    return [f"quota.day.{source_id}.{now:%Y%m%d}", f"quota.open.{source_id}"]


def _seed(source_id: int, which: int, now: datetime) -> None:
    """Take a count from Postgres that Redis does not have."""
    key = _keys(source_id, now)[which - 1]
    if which == _BY_DAY:
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        client().set(key, quota_counts.count_since(source_id, midnight), ex=_DAY_KEPT, nx=True)
    else:
        counted = quota_counts.count_open([source_id])
        client().set(key, counted.get(source_id, 0), ex=_OPEN_KEPT, nx=True)


def _unknown(batch: Sequence[Envelope], indexes: Sequence[int]) -> list[int]:
    """Return those of `indexes` whose events are not stored."""
    if not indexes:
        return []
    keys = {index: (batch[index].source.id, batch[index].event_id) for index in indexes}
    known = quota_counts.known(list(keys.values()))
    return [index for index, key in keys.items() if key not in known]


def _refusal(envelope: Envelope, refusing: int, now: datetime) -> Ack:
    source = envelope.source
    if refusing == _BY_DAY:
        detail = f"Source {source.name} may send {source.events_per_day} events a day, until midnight UTC."
        return rejected_ack(envelope.event_id, "quota_exceeded", f"{detail} Ask the operator for more.", now)
    detail = f"{source.open_events} events of source {source.name} wait for their end: send it again later."
    return rejected_ack(envelope.event_id, "too_many_open", detail, now)


def settle(batch: Sequence[Envelope], acks: Sequence[Ack], refused: dict[int, Ack], *, now: datetime) -> None:
    """Give back what was counted and not accepted: duplicates, and what was rejected for other reasons."""
    for source, indexes in _by_source(batch).items():
        counted = [acks[index] for index in indexes if index not in refused]
        unused = sum(not _accepted(ack) for ack in counted)
        ended = sum(_accepted(ack) and ack.final for ack in counted)
        _give_back(source, now, of_day=unused, of_open=unused + ended)


def _accepted(ack: Ack) -> bool:
    if ack.pk:
        return not ack.duplicate
    return ack.status is AckStatus.DELIVERED or ack.code == "no_session"  # INFORMATIONAL: not stored


def give_back(batch: Sequence[Envelope], refused: dict[int, Ack], *, now: datetime) -> None:
    """Give back all that `take` has counted: nothing is known to be accepted."""
    for source, indexes in _by_source(batch).items():
        count = sum(index not in refused for index in indexes)
        _give_back(source, now, of_day=count, of_open=count)


def _give_back(source: SourceGrant, now: datetime, *, of_day: int, of_open: int) -> None:
    day, open_ = _keys(source.id, now)
    try:
        pipe = client().pipeline(transaction=False)
        if source.events_per_day and of_day:
            pipe.decrby(day, of_day)
        if source.open_events and of_open:
            pipe.decrby(open_, of_open)
        pipe.execute()
    except redis.RedisError as error:
        log.warning("quotas_unavailable", extra={"error": type(error).__name__})


def measure() -> None:
    """Count the open events of the sources that have a quota of them. Raises: `redis.RedisError`."""
    sources = list(Source.objects.filter(open_events__gt=0).values_list("pk", flat=True))
    if not sources:
        return
    counted = quota_counts.count_open(sources)
    pipe = client().pipeline(transaction=False)
    for source in sources:
        pipe.set(f"quota.open.{source}", counted.get(source, 0), ex=_OPEN_KEPT)
    pipe.execute()
