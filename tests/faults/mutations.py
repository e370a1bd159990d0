"""The mutants: each breaks one promise of the product by one exact change to one file.

`rows` must all notice it, at their short size; `tests` are tried first, and where no row is named one of
them must notice it.
"""

from dataclasses import dataclass
from pathlib import Path


class Moved(Exception):
    """The text that a mutant changes does not stand in its file exactly once: the mutant needs a new one."""


@dataclass(frozen=True, slots=True)
class Mutant:
    name: str
    breaks: str
    file: str
    old: str
    new: str
    rows: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()

    def changed(self, tree: Path) -> str:
        """Return the file's text with the mutant's change. Raises: `Moved`."""
        text = (tree / self.file).read_text()
        if text.count(self.old) != 1:
            raise Moved(f"{self.name}: {self.file} has this {text.count(self.old)} times:\n{self.old}")
        return text.replace(self.old, self.new)

    def apply(self, tree: Path) -> None:
        (tree / self.file).write_text(self.changed(tree))


_ALL = (
    Mutant(
        "m01",
        "a result is recorded without its lease",
        "notifications/store/outcomes.py",
        "        return rows.filter(lease_token=seen.token)\n",
        "        return rows\n",
        tests=("tests/notifications/store",),
    ),
    Mutant(
        "m02",
        "an event that is known already is stored again",
        "notifications/store/accept.py",
        "if key not in known and key not in fresh:",
        "if key not in fresh:",
        tests=("tests/notifications/store/test_accept.py",),
    ),
    Mutant(
        "m03",
        "a claim ignores that the event has ended or expired",
        "notifications/store/due.py",
        " AND (SELECT {_EVENT_GOES_ON} FROM notifications_event e WHERE e.id = d.event_id)",
        "",
        rows=("L1", "O5"),
        tests=("tests/notifications/store/test_claim.py",),
    ),
    Mutant(
        "m04",
        "an entry of the stream is acknowledged to Redis before its commit",
        "gateway/ingress/streams.py",
        "        acks = ingest(envelopes, now=clock.now()) if envelopes else []\n",
        "        self._redis.xack(STREAM, GROUP, *[read.entry_id for read in reads])\n"
        "        acks = ingest(envelopes, now=clock.now()) if envelopes else []\n",
        rows=("L7",),
        tests=("tests/gateway/ingress/test_streams.py",),
    ),
    Mutant(
        "m05",
        "a send that failed is recorded as sent",
        "notifications/delivery/sending.py",
        "        error = failure\n    except",
        '        receipt = Receipt("")\n    except',
        tests=("tests/notifications/delivery/test_attempt.py",),
    ),
    Mutant(
        "m06",
        "a send of unknown outcome is tried again as if it had failed",
        "notifications/delivery/record.py",
        "    if isinstance(error, OutcomeUnknown):\n",
        "    if isinstance(error, OutcomeUnknown):\n        return _defer_or_fail(failure, error, now)\n"
        "    if isinstance(error, OutcomeUnknown):\n",
        rows=("D3",),
        tests=("tests/notifications/delivery/test_attempt.py",),
    ),
    Mutant(
        "m07",
        "one send in ten is not made, and recorded as refused",
        "notifications/delivery/sending.py",
        "    try:\n        receipt = await transport",
        "    try:\n"
        "        if int(row.delivery_id[:4], 16) % 10 == 0:\n"
        "            from notifications.transports.base import MessageError\n\n"
        '            raise MessageError("refused")\n'
        "        receipt = await transport",
        rows=("L1", "L2", "L4", "L5", "D2", "D3", "O3"),
    ),
    Mutant(
        "m08",
        "a page that does not confirm is never given up",
        "notifications/store/sweep.py",
        "    return goes_on and deadline is not None and deadline <= now\n",
        "    return False and goes_on and deadline is not None and deadline <= now\n",
        tests=("tests/notifications/store",),
    ),
    Mutant(
        "m09",
        "the next channel is skipped",
        "notifications/store/next_step.py",
        "list(enumerate(event.plan))[after + 1 :]",
        "list(enumerate(event.plan))[after + 2 :]",
        tests=("tests/notifications/store",),
    ),
    Mutant(
        "m10",
        "doorbells are rung before the commit",
        "notifications/store/accept.py",
        "                stored = _accept(batch, erased, now)\n",
        "                stored = _accept(batch, erased, now)\n"
        "                from notifications import tasks\n"
        "                from notifications.effects import Ring\n\n"
        "                new = zip(batch, stored, strict=True)\n"
        "                tasks.ring(\n"
        "                    [\n"
        "                        Ring(one.delivery_id, item.envelope.priority)\n"
        "                        for item, one in new\n"
        "                        if one.delivery_id and not one.token\n"
        "                    ]\n"
        "                )\n"
        "                for place, one in enumerate(stored):\n"
        "                    if not one.token:\n"
        '                        stored[place] = replace(one, delivery_id="")\n',
        rows=("L7",),
    ),
    Mutant(
        "m11",
        "one transaction stays open around the send",
        "notifications/delivery/attempt.py",
        "    yield from _attempt(_look_up(delivery_ids, clock), clock, run_effects, [])\n",
        "    from django.db import transaction\n\n"
        "    with transaction.atomic():\n"
        "        yield from _attempt(_look_up(delivery_ids, clock), clock, run_effects, [])\n",
        rows=("L1",),
        tests=("tests/notifications/delivery/test_attempt_batch.py",),
    ),
    Mutant(
        "m12",
        "the sweep ignores expired leases",
        "notifications/store/sweep.py",
        "        return _lease_expired(row, now, settings)\n",
        "        return Effects()\n",
        tests=("tests/notifications/store",),
    ),
    Mutant(
        "m13",
        "no final ack is sent",
        "gateway/ingress/replies.py",
        "        add_ack(pipe, source, ack, final_of=store.reply_key(pk, now))\n",
        "        pass\n",
        rows=("L2", "L7"),
        tests=("tests/gateway/ingress/test_replies.py",),
    ),
    Mutant(
        "m14",
        "confirmations are dropped while the database is away",
        "gateway/sockets/confirmations.py",
        "            except DATABASE_AWAY",
        "            except DATABASE_AWAY:\n                return\n            except DATABASE_AWAY",
        tests=("tests/gateway/sockets/test_websocket_confirmations.py",),
    ),
    Mutant(
        "m15",
        "a replay does not mark what may have arrived",
        "notifications/store/replay.py",
        "order.forced or event.pk in maybe_known)",
        "False)",
        tests=("tests/notifications/operations",),
    ),
    Mutant(
        "m16",
        "the sweep does not end what has expired",
        "notifications/store/sweep.py",
        "        return expire(event.pk, now=now)\n",
        "        return Effects()\n",
        tests=("tests/notifications/store",),
    ),
    Mutant(
        "m17",
        "other content under a known id is taken for the same",
        "notifications/store/accept.py",
        "    if digest != item.envelope.digest:\n",
        "    if False:\n",
        tests=("tests/notifications/store/test_accept.py",),
    ),
    Mutant(
        "m18",
        "a result is given up when Postgres is away",
        "notifications/delivery/record.py",
        "            if time.monotonic() > give_up_at:\n",
        "            if True:\n",
        tests=("tests/notifications/delivery",),
    ),
    Mutant(
        "m19",
        "a person's cursor is read without its lock",
        "notifications/store/inbox.py",
        ' ORDER BY person_id FOR UPDATE",',
        ' ORDER BY person_id",',
        rows=("O3",),
        tests=("tests/notifications/store",),
    ),
    Mutant(
        "m20",
        "a late confirmation cancels nothing",
        "notifications/store/confirm.py",
        "    cursor.execute(_CANCEL_OTHERS, given)\n",
        "",
        rows=("O5",),
        tests=("tests/notifications/store/test_confirm.py",),
    ),
    Mutant(
        "m21",
        "no doorbell is rung: everything waits for the sweep",
        "notifications/dispatch.py",
        "        tasks.run_effects(whole)\n",
        "        whole.rings.clear()\n        tasks.run_effects(whole)\n",
        rows=("L7",),
    ),
    Mutant(
        "m22",
        "a repeat does not say that it may be one",
        "notifications/rendering/render.py",
        "may_repeat = possible_duplicate and not spec.confirms",
        "may_repeat = False",
        tests=("tests/notifications/rendering",),
    ),
    Mutant(
        "m23",
        "what may have arrived is repeated again and again",
        "notifications/store/outcomes.py",
        "    if row.possible_duplicate or with_next([str(row.pk)]):\n",
        "    if with_next([str(row.pk)]):\n",
        tests=("tests/notifications/store",),
    ),
    Mutant(
        "m24",
        "a final ack is sent again at every look",
        "notifications/store/replies.py",
        "e SET replied_at = %b FROM due",
        "e SET replied_at = CASE WHEN %b::timestamptz IS NULL THEN e.final_at END FROM due",
        rows=("L2",),
    ),
    Mutant(
        "m25",
        "the consumer group is not created again after a FLUSHALL",
        "gateway/ingress/streams.py",
        "                    self._create_group()\n",
        "                    stopping.wait(RETRY_S)\n",
        tests=("tests/gateway/ingress",),
    ),
    Mutant(
        "m26",
        "the sweep rings for nobody",
        "notifications/store/sweep.py",
        "    return Effects(rings=[Ring(pk, Priority(row.priority), alone=row.attempts > 0)])\n",
        "    return Effects()\n",
        tests=("tests/notifications/store",),
    ),
    Mutant(
        "m27",
        "a batch that could not be stored is answered as accepted",
        "gateway/ingress/publishing.py",
        "        raise Unavailable from error\n",
        "        acks = iter(\n"
        "            [Ack(item.event_id, AckStatus.QUEUED, False, now, seq=1) for item in good]\n"
        "        )\n",
        tests=("tests/gateway/ingress",),
    ),
    Mutant(
        "m28",
        "a send that failed for a passing reason is never tried again",
        "notifications/delivery/record.py",
        "    carried = total_s <= pipeline_settings().countdown_max_s\n",
        "    total_s, carried = 86_400.0, False\n",
        tests=("tests/notifications/delivery",),
    ),
    Mutant(
        "m29",
        "a paused worker sends although its lease is over",
        "notifications/delivery/sending.py",
        "    if started_at + timedelta(seconds=timeout_s) > row.lease_until:\n",
        "    if False:\n",
        rows=("D4",),
    ),
    Mutant(
        "m30",
        "a client that resumes misses the first event",
        "notifications/live/recovery.py",
        "seq__gt=after,",
        "seq__gt=after + 1,",
        tests=("tests/notifications/live",),
    ),
    Mutant(
        "m31",
        "a claim takes a row that another worker holds",
        "notifications/store/due.py",
        "CLAIMABLE = [DeliveryState.PENDING,",
        "CLAIMABLE = [DeliveryState.SENDING, DeliveryState.PENDING,",
        tests=("tests/notifications/store/test_claim.py",),
    ),
    Mutant(
        "m40",
        "the Python client notes that the producer has had a final ack before it has",
        "clients/python/src/tocsin/telling.py",
        """        for ack in acks:
            self._call(ack)
        finals = [ack.event_id for ack in acks if ack.final]
        if finals:
            try:
                self._journal.told(finals, now=time.time())
            except JournalError:
                log.warning("acks_told_again", exc_info=True)
""",
        """        finals = [ack.event_id for ack in acks if ack.final]
        if finals:
            self._journal.told(finals, now=time.time())
        for ack in acks:
            self._call(ack)
""",
        rows=("K1",),
    ),
    Mutant(
        "m41",
        "CRITICAL waits on a channel for as long as it has to, although another is free",
        "notifications/delivery/waits.py",
        "PATIENCE_S = 9.0",
        "PATIENCE_S = 100_000.0",
        rows=("F2",),
        tests=("tests/notifications/delivery/test_waits.py",),
    ),
    Mutant(
        "m42",
        "a channel that was left in order not to wait is not returned to",
        "notifications/store/next_step.py",
        "if event.priority == Priority.CRITICAL and (left",
        "if False and (left",
        tests=("tests/notifications/delivery/test_waits.py",),
    ),
)

MUTANTS = {mutant.name: mutant for mutant in _ALL}
