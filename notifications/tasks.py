"""The Celery tasks: doorbells that carry ids. A lost or duplicated message changes only the timing.

The only module of this package that knows Celery.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from amqp.exceptions import AMQPError, ChannelError, MessageNacked
from celery import current_app, shared_task
from celery.signals import worker_process_shutdown
from kombu.exceptions import OperationalError
from redis import RedisError

from notifications import store
from notifications.delivery import attempt, edits, further, slow_sends
from notifications.delivery.attempt import NotDue
from notifications.delivery.retries import QUICK_TRIES
from notifications.effects import Effects, FanOut, Ring
from notifications.live import pubsub
from notifications.operations import (
    address_notices,
    canary,
    erasure,
    expiry,
    heartbeat,
    overload,
    quotas,
    recheck,
    ticks,
)
from notifications.settings import pipeline_settings
from notifications.states import Priority
from notifications.sweep import sweep_in_parts
from notifications.topics import fan_out
from notifications.transports.base import LimitedError, TemporaryError
from runtime.circuit import Circuit
from runtime.failpoints import failpoint
from runtime.postgres import clock
from runtime.postgres.away import DATABASE_AWAY
from runtime.redis import counters
from runtime.redis.counters import SharedCounter

log = logging.getLogger(__name__)

RINGS_LOST = SharedCounter(
    "tocsin_doorbells_lost_total", "Doorbells that the broker did not accept", ["queue"]
)

_ERASED_AT_ONCE = 10  # chunks of events that one tick erases for a person
CONFIRM_WITHIN_S = 10.0  # RabbitMQ confirms each message; Redis has no confirms
_SHORT = 10  # messages
_ASKED_WITHIN_S = 1.0
_BROKER_AWAY = (OperationalError, OSError, AMQPError, RedisError)
_NOT_PUBLISHED = (OperationalError, OSError, AMQPError, MessageNacked)
# One doorbell waits for the timeouts of a broker that does not answer; those behind it are left to the sweep.
_BROKER = Circuit(
    away=_NOT_PUBLISHED, refusal=lambda: OperationalError("no answer a moment ago"), pause_s=2.0
)
_QUEUES = {Priority.CRITICAL: "critical", Priority.NORMAL: "normal", Priority.INFORMATIONAL: "normal"}


@shared_task(  # type: ignore[arg-type]
    bind=True,
    name="tocsin.deliver",
    autoretry_for=(TemporaryError,),
    dont_autoretry_for=(LimitedError,),
    retry_backoff=2,
    retry_backoff_max=60,
    retry_jitter=True,
    max_retries=QUICK_TRIES,
)
def deliver(self: Any, *, delivery_id: str, **_: Any) -> None:
    """Try one delivery. Celery retries a `TemporaryError`, which is raised for short waits only.

    The fallback does not depend on Celery: the try that ends a channel rings for the next one, and after
    a crash the sweep does, once the lease has expired.
    """
    try:
        run_effects(attempt.attempt_one(delivery_id, clock=clock.now, run_effects=run_effects))
    except NotDue:
        log.info("not_due", extra={"delivery_id": delivery_id})
    except LimitedError as limited:
        raise self.retry(exc=limited, countdown=limited.retry_after_s) from limited
    _take_along([delivery_id])


@shared_task(name="tocsin.deliver_many")
def deliver_many(*, delivery_ids: list[str], **_: Any) -> None:
    """Try a batch of deliveries. Each one that has to be retried continues as a `deliver` of its own."""
    for effects in attempt.attempt_many(delivery_ids, clock=clock.now, run_effects=run_effects):
        run_effects(effects)
    _take_along(delivery_ids)


def _take_along(delivery_ids: list[str]) -> None:
    """Fill the batch of this doorbell up with rows that have waited too long for theirs."""
    for effects in further.attempt_further(delivery_ids, clock=clock.now, run_effects=run_effects):
        run_effects(effects)


@worker_process_shutdown.connect
def wait_for_slow_sends(**_: object) -> None:
    """Wait until the sends in flight are recorded: without a record they end as unknown outcomes."""
    slow_sends.start_no_more()
    if not slow_sends.wait_until_recorded(within_s=pipeline_settings().send_timeout_s + 2):
        log.warning("slow_sends_left_behind")


@shared_task(name="tocsin.fan_out")
def fan_out_next(*, broadcast_id: str, **_: Any) -> None:
    """Store an event to a topic for its next recipients, and ring for those after them."""
    run_effects(fan_out.accept_next_chunk(broadcast_id, now=clock.now()))


@shared_task(name="tocsin.edit_messages")
def edit_messages(*, delivery_ids: list[str], **_: Any) -> None:
    """Let the messages of these deliveries show what the person did meanwhile."""
    edits.edit_messages(delivery_ids, clock=clock.now)


@shared_task(name="tocsin.sweep")
def sweep_due(**_: Any) -> None:
    """Continue every row that is due, including those whose doorbell was lost."""
    ticks.taken("sweep")
    started = time.monotonic()
    for effects in sweep_in_parts(now=clock.now(), idle=_idle_priorities()):
        run_effects(effects)
    if (took_s := time.monotonic() - started) > pipeline_settings().sweep_slow_s:
        log.warning("sweep_slow", extra={"took_s": round(took_s, 3)})


def _idle_priorities() -> set[Priority]:
    """Return the priorities whose queues have so few doorbells that further ones would soon find a worker.

    None while the broker does not answer: the doorbells would be lost.
    """
    with current_app.connection_for_write(connect_timeout=_ASKED_WITHIN_S) as connection:
        try:
            return {one for one, queue in _QUEUES.items() if _length(connection, queue) < _SHORT}
        except _BROKER_AWAY as error:
            log.warning("queues_unknown", extra={"error": type(error).__name__})
            return set()


def _length(connection: Any, queue: str) -> int:
    with connection.channel() as channel:
        try:
            return int(channel.queue_declare(queue, passive=True).message_count)
        except ChannelError:  # there is no such queue: on Redis, an empty one
            return 0


@shared_task(name="tocsin.count_open_rows")
def count_open_rows(**_: Any) -> None:
    """Count what is open, for the processes that accept events."""
    ticks.taken("count_open_rows")
    overload.measure()
    quotas.measure()


@shared_task(name="tocsin.canary")
def canary_through(*, queue: str, **_: Any) -> None:
    """Record that a worker consumes this queue."""
    ticks.taken(f"canary-{queue}")
    canary.mark(queue, now=clock.now())
    counters.write()  # what was counted while Redis was away


@shared_task(name="tocsin.heartbeat")
def heartbeat_if_well(**_: Any) -> None:
    """Call the heartbeat URL if the system is healthy."""
    ticks.taken("heartbeat")
    heartbeat.send(now=clock.now())


@shared_task(name="tocsin.recheck")
def recheck_destinations(**_: Any) -> None:
    """Try some of the refused destinations again, and tell people of those that were refused."""
    ticks.taken("recheck")
    recheck.recheck(now=clock.now())
    run_effects(address_notices.tell(now=clock.now()))


@shared_task(name="tocsin.forget_expired")
def forget_expired(**_: Any) -> None:
    """Delete what nobody needs any more."""
    ticks.taken("expiry")
    expiry.forget_expired(now=clock.now())


@shared_task(name="tocsin.erase")
def erase(**_: Any) -> None:
    """Go on with the erasures of persons."""
    ticks.taken("erasures")
    run_effects(erasure.advance_all(clock=clock.now, chunks=_ERASED_AT_ONCE))


def run_effects(effects: Effects) -> None:
    """Publish what follows a committed change: doorbells, and the ends of events and broadcasts."""
    failpoint("recorded_before_effects")
    ring(effects.rings)
    ring_next(effects.freed)
    ring_fan_outs(effects.fan_outs)
    ring_edits(effects.edits)
    replies = effects.replies or bool(effects.broadcasts)
    pubsub.announce_finals([*effects.finals, *effects.broadcasts], replies=replies)


def ring(rings: Sequence[Ring]) -> None:
    """Publish doorbells, batched into few messages.

    Never raises if the broker is down: the rows stay due and the sweep rings again.
    """
    batched: dict[str, list[str]] = defaultdict(list)
    countdown_max_s = pipeline_settings().countdown_max_s
    for item in rings:
        if item.delay_s > countdown_max_s:
            continue  # the sweep rings at the row's `ring_at`
        queue = _QUEUES[item.priority]
        if item.alone or item.delay_s:
            _publish(deliver, queue, {"delivery_id": item.delivery_id}, item.delay_s)
        else:
            batched[queue].append(item.delivery_id)
    for queue, ids in batched.items():
        if len(ids) == 1:
            _publish(deliver, queue, {"delivery_id": ids[0]}, 0)
            continue
        size = pipeline_settings().batch_size
        for start in range(0, len(ids), size):
            _publish(deliver_many, queue, {"delivery_ids": ids[start : start + size]}, 0)


def ring_next(freed: Sequence[int]) -> None:
    """Publish doorbells for what waited for these events. Never raises either: the sweep looks again."""
    if not freed:
        return
    try:
        ring(store.next_in_line(freed, now=clock.now()))
    except DATABASE_AWAY as error:
        log.warning("next_in_line_unknown", extra={"error": type(error).__name__})


def ring_fan_outs(fan_outs: Sequence[FanOut]) -> None:
    """Publish a doorbell for the next recipients of each broadcast. Never raises either."""
    for item in fan_outs:
        _publish(fan_out_next, _QUEUES[item.priority], {"broadcast_id": item.broadcast_pk}, 0)


def ring_edits(delivery_ids: Sequence[str]) -> None:
    """Publish doorbells for messages to be edited. Never raises either: the sweep finds what is due."""
    for start in range(0, len(delivery_ids), edits.AT_ONCE):
        some = list(delivery_ids[start : start + edits.AT_ONCE])
        _publish(edit_messages, _QUEUES[Priority.NORMAL], {"delivery_ids": some}, 0)


def _publish(task: Any, queue: str, kwargs: dict[str, Any], delay_s: float) -> None:
    failpoint("ring_before_publish")
    try:
        with _BROKER.call():
            task.apply_async(
                kwargs=kwargs, queue=queue, countdown=delay_s or None, confirm_timeout=CONFIRM_WITHIN_S
            )
    except _NOT_PUBLISHED as error:
        RINGS_LOST.inc(queue)
        log.warning("doorbell_lost", extra={"queue": queue, "error": type(error).__name__})
    failpoint("ring_after_publish")
