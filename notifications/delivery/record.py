"""Recording the results of sends while their leases last, and deciding what follows."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import random
from typing import TypeVar

from django.db import connection

from notifications import store
from notifications.delivery import channel_health, rate_limits, retries, sending_loop, waits
from notifications.effects import Effects, Ring
from notifications.settings import pipeline_settings
from notifications.states import AttemptOutcome, FailureKind, Priority, WaitReason
from notifications.store import Claimed, Failure, LeaseLost, Success
from notifications.transports.base import (
    ConfigurationError,
    LimitedError,
    MessageError,
    OutcomeUnknown,
    Receipt,
    RecipientError,
    TemporaryError,
    TransportError,
)
from runtime.failpoints import failpoint
from runtime.postgres.away import DATABASE_AWAY

log = logging.getLogger(__name__)

Clock = Callable[[], datetime]
T = TypeVar("T")

_LAG_S = 0.5
_SLOW_SHARE = 0.6  # of its timeout; a slower send counts against the provider
_WRITE_WITHIN_S = 8.0  # a restart of Postgres takes less, and the lease and the time limit allow it
_WRITE_RETRY_S = 0.2
_RETRY_AFTER_MAX_S = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Tried:
    """The result of one send: exactly one of `receipt` and `error`, or neither if it was not started."""

    claimed: Claimed
    started_at: datetime
    ended_at: datetime
    receipt: Receipt | None = None
    error: TransportError | None = None
    template_version: int | None = None
    member_versions: tuple[int | None, ...] = ()


def record(batch: Sequence[Tried], clock: Clock) -> Effects:
    """Write the results of a few sends: the successes in one statement, the rest one by one.

    The successes are written first: a crash between the provider's acceptance and our commit repeats the
    message. Raises: database errors, if Postgres stays away for some seconds; the rows' leases then end as
    unknown outcomes.
    """
    failpoint("sent_before_record")
    effects = Effects()
    every = [one for tried in batch for one in _each(tried)]
    sent = [tried for tried in every if tried.receipt is not None]
    if sent:
        effects.add(_record_sent(sent))
    unstarted = [tried.claimed for tried in every if tried.receipt is None and tried.error is None]
    if unstarted:
        given_back = set(retry_while_database_away(lambda: store.release(unstarted, now=clock())))
        for row in unstarted:
            if row.delivery_id not in given_back:
                log.warning("late_result_refused", extra={"delivery_id": row.delivery_id})
        effects.rings += [Ring(row.delivery_id, row.priority) for row in unstarted]
    for tried in every:
        if tried.error is not None:
            effects.add(_record_error(tried, tried.error, clock))
    members = {one.delivery_id for tried in batch for one in tried.claimed.members}
    effects.rings = [ring for ring in effects.rings if ring.delivery_id not in members]
    _count(batch)
    return effects


def _each(tried: Tried) -> Iterator[Tried]:
    """Yield the result of a message for each event in it."""
    yield tried
    members = tried.claimed.members
    for member, version in zip(members, tried.member_versions or [None] * len(members), strict=True):
        assert isinstance(member, Claimed)
        receipt = replace(tried.receipt, moved_to="") if tried.receipt else None  # the carrier's moves it
        yield replace(tried, claimed=member, receipt=receipt, template_version=version)


def retry_while_database_away(write: Callable[[], T]) -> T:
    """Write, and retry while Postgres restarts. A write that was committed before finds its lease gone."""
    give_up_at = time.monotonic() + _WRITE_WITHIN_S
    while True:
        try:
            return write()
        except DATABASE_AWAY as error:
            if time.monotonic() > give_up_at:
                raise
            log.warning("result_not_written_yet", extra={"error": type(error).__name__})
        connection.close()
        time.sleep(_WRITE_RETRY_S)


def _record_sent(sent: Sequence[Tried]) -> Effects:
    done, lost = retry_while_database_away(lambda: store.record_sent([_success(tried) for tried in sent]))
    log.info("sent", extra=_ids([tried.claimed for tried in sent]))
    for delivery_id in lost:
        log.warning("late_result_refused", extra={"delivery_id": delivery_id})
    for tried in sent:
        if tried.receipt and tried.receipt.moved_to:
            _move_address(tried, tried.receipt.moved_to)
    return done


def _move_address(tried: Tried, moved_to: str) -> None:
    """Note a new address. A failure costs a redirect of the next send, and must not cost other results."""
    delivery_id = tried.claimed.delivery_id
    try:
        retry_while_database_away(lambda: store.move_address(delivery_id, moved_to, now=tried.ended_at))
    except Exception:
        log.exception("address_not_moved", extra={"delivery_id": delivery_id})


def _ids(rows: Sequence[Claimed]) -> dict[str, list[str]]:
    """Return a batch's fields for the log: ids, neither addresses nor content."""
    return {
        "event_ids": [row.event_id for row in rows],
        "delivery_ids": [row.delivery_id for row in rows],
        "channels": [row.channel.name for row in rows],
    }


def _success(tried: Tried) -> Success:
    assert tried.receipt is not None
    return Success(
        tried.claimed.delivery_id,
        tried.claimed.token,
        tried.started_at,
        tried.ended_at,
        tried.receipt.provider_message_id[:200],
        tried.template_version,
    )


def _record_error(tried: Tried, error: TransportError, clock: Clock) -> Effects:
    row = tried.claimed
    failure = Failure(
        row, tried.started_at, tried.ended_at, error.outcome, _reason(error, row), tried.template_version
    )
    extra = {"event_id": row.event_id, "delivery_id": row.delivery_id, "channel": row.channel.name}
    log.warning("send_failed", extra=extra | _described(error, row))
    if isinstance(error, LimitedError):
        rate_limits.hold(rate_limits.limits_of(row.channel, row.address), wait_s=_asked_s(error))
    try:
        return retry_while_database_away(lambda: _decide(failure, error, clock()))
    except LeaseLost:
        log.warning("late_result_refused", extra=extra)
    except DATABASE_AWAY:
        raise
    except Exception:  # its lease ends as an unknown outcome; the batch's other results are written
        log.exception("result_not_recorded", extra=extra)
    return Effects()


def _described(error: TransportError, row: Claimed) -> dict[str, object]:
    """Return an error's fields for the log."""
    named = {
        "outcome": error.outcome.value,
        "error": type(error).__name__,
        "reason": _reason(error, row)[:300],
    }
    return named | {"attempt": row.attempt}


def _reason(error: TransportError, row: Claimed) -> str:
    """Return the provider's text without the address that it may quote: acks and logs have it too."""
    return error.reason.replace(row.address, "<address>") if row.address else error.reason


def _decide(failure: Failure, error: TransportError, now: datetime) -> Effects:
    if isinstance(error, OutcomeUnknown):
        backoff_s = pipeline_settings().unknown_backoff_s
        return store.record_unknown(failure, now=now, backoff_s=backoff_s)
    if isinstance(error, TemporaryError | ConfigurationError):
        return _defer_or_fail(failure, error, now)
    return store.record_failed(failure, _KINDS.get(type(error), FailureKind.MESSAGE), now=now)


def _defer_or_fail(failure: Failure, error: TransportError, now: datetime) -> Effects:
    """Defer by the channel's schedule and the provider's Retry-After, or fail the channel."""
    row = failure.claimed
    kind = _KINDS.get(type(error), FailureKind.TEMPORARY)
    last = row.last or not store.with_next([row.delivery_id])
    wait_s = retries.wait_s(row.channel, row.priority, row.attempt, last=last)
    # Wrong credentials stay wrong for longer than a few seconds.
    pointless = isinstance(error, ConfigurationError) and row.priority is Priority.CRITICAL and not last
    if wait_s is None or pointless:
        return store.record_failed(failure, kind, now=now)
    asked_s = _asked_s(error) if isinstance(error, LimitedError) else 0.0
    total_s = max(wait_s, asked_s)
    reason = WaitReason.RETRY_AFTER if asked_s else WaitReason.RETRY
    if not last and total_s >= waits.patience_s(row, now):
        until = now + timedelta(seconds=total_s)
        return store.record_left(failure, until=until, reason=reason, now=now)
    carried = total_s <= pipeline_settings().countdown_max_s
    quick = isinstance(error, TemporaryError) and row.attempt <= retries.QUICK_TRIES and carried
    # Celery's retry rings for a short wait, with the sweep as its backup; the sweep alone for a long one.
    not_before = now + timedelta(seconds=asked_s if quick else total_s)
    ring_at = now + timedelta(seconds=total_s + 5 * quick)
    store.record_deferred(failure, not_before=not_before, ring_at=ring_at, reason=reason)
    if not quick:
        return Effects()
    delay_s = asked_s or wait_s * random()  # noqa: S311
    return Effects(rings=[Ring(row.delivery_id, row.priority, delay_s=delay_s, alone=True)])


def _asked_s(error: LimitedError) -> float:
    """Return the provider's Retry-After, within a day: a larger one is no wish but an error."""
    return min(error.retry_after_s, _RETRY_AFTER_MAX_S)


def is_providers_fault(tried: Tried) -> bool:
    """Return whether a send counts against the provider: it failed there, or took most of its timeout.

    While our own event loop lags every send looks slow, so none counts.
    """
    if sending_loop.lag_s() > _LAG_S:
        return False
    if tried.error is None:
        taken_s = (tried.ended_at - tried.started_at).total_seconds()
        return taken_s > _SLOW_SHARE * retries.timeout_s(tried.claimed.channel)
    return isinstance(tried.error, TemporaryError | OutcomeUnknown | ConfigurationError) and not isinstance(
        tried.error, LimitedError
    )


def _count(batch: Sequence[Tried]) -> None:
    """Count the batch's sends in the breakers and in the metrics, channel by channel."""
    started = [tried for tried in batch if tried.receipt or tried.error]
    for channel in dict.fromkeys(tried.claimed.channel for tried in started):
        mine = [tried for tried in started if tried.claimed.channel is channel]
        outcomes = [tried.error.outcome if tried.error else AttemptOutcome.SENT for tried in mine]
        faults = sum(map(is_providers_fault, mine))
        channel_health.count(channel, outcomes, providers_fault=faults, now=mine[-1].ended_at)


_KINDS: dict[type[TransportError], FailureKind] = {
    RecipientError: FailureKind.RECIPIENT,
    MessageError: FailureKind.MESSAGE,
    ConfigurationError: FailureKind.CONFIGURATION,
}
