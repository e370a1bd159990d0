"""The Redis Streams ingress: entries of `tocsin:events` in, acks to `tocsin:acks:<source>` out.

The stream is a transport, not a store: parse → commit → ack to the producer → XACK. A producer must keep an
event until its ack. Invalid entries go to quarantine with their bytes.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Sequence

import redis
from django.db import connection
from redis.exceptions import OutOfMemoryError, ResponseError

from gateway.codec.acks import ack_to_protobuf
from gateway.codec.limits import InvalidEvent
from gateway.codec.problems import LATER
from gateway.ingress.entries import Entry, Read, quarantined, read_all
from gateway.ingress.quarantine import is_refused
from gateway.settings import edge_settings
from notifications.events import Ack
from notifications.ingest import ingest
from notifications.models import Quarantine
from notifications.operations import overload
from notifications.states import Priority
from runtime.failpoints import failpoint
from runtime.postgres import clock
from runtime.postgres.away import DATABASE_AWAY

log = logging.getLogger(__name__)

STREAM = "tocsin:events"
GROUP = "tocsin"
ACKS_KEPT = 100_000  # of each source; a producer that reads slower than this asks GET /events
FINAL_OF = b"k"  # field of a final ack's entry
BATCH = 500
TRIES = 5
RECLAIM_EVERY_S = 10.0
IDLE_MS = 60_000
LOAD_EVERY_S = 1.0
RETRY_S = 1.0
_NEARLY_FULL = 0.8  # of Redis' `maxmemory`


def acks_stream(source: str) -> str:
    return f"tocsin:acks:{source}"


def add_ack(pipe: "redis.client.Pipeline", source: str, ack: Ack, *, final_of: str = "") -> None:
    """Queue an ack for the stream of its source, by name. `final_of`: the key of a final ack."""
    fields = {"a": ack_to_protobuf(ack)} | ({FINAL_OF: final_of} if final_of else {})
    pipe.xadd(acks_stream(source), fields, maxlen=ACKS_KEPT, approximate=True)


def connect(url: str) -> "redis.Redis":
    """Return a client whose socket timeout is longer than the blocking reads."""
    return redis.Redis.from_url(url, socket_timeout=10, socket_connect_timeout=3, health_check_interval=30)


class StreamIngress:
    """One consumer of the group. Guarantee: an entry is acknowledged only after its commit."""

    def __init__(
        self,
        client: "redis.Redis",
        consumer: str,
        *,
        block_ms: int = 1_000,
        idle_ms: int = IDLE_MS,
        load_every_s: float = LOAD_EVERY_S,
    ) -> None:
        self._redis = client
        self._consumer = consumer
        self._block_ms = block_ms
        self._idle_ms = idle_ms  # after this long without XACK, another consumer's entries are taken over
        self._load_every_s = load_every_s
        self._reclaim_at = 0.0
        self._load_at = 0.0
        self._overloaded = False

    def run(self, stopping: threading.Event) -> None:
        """Consume until `stopping` is set; the current batch is finished first."""
        log.info("stream_ingress_started", extra={"stream": STREAM, "consumer": self._consumer})
        while not stopping.is_set():
            try:
                self.step()
            except ResponseError as error:
                if "NOGROUP" in str(error):
                    self._create_group()
                else:  # such as out of memory, or read-only after a failover: retried, nothing is lost
                    self._wait("stream_unavailable", error, stopping)
            except redis.RedisError as error:
                self._wait("stream_unavailable", error, stopping)
            except DATABASE_AWAY as error:
                # The entries stay pending under this consumer's name.
                self._wait("database_unavailable", error, stopping)

    def _wait(self, what: str, error: Exception, stopping: threading.Event) -> None:
        log.warning(what, extra={"error": type(error).__name__})
        connection.close()  # no request ends here, so that a broken one would be kept for ever
        self._reclaim_at = 0.0
        stopping.wait(RETRY_S)

    def step(self) -> int:
        """Process one batch, unfinished entries before new ones. Return the number of entries."""
        if time.monotonic() >= self._reclaim_at:
            taken = self._process(self._unfinished())
            if taken == 0:
                self._reclaim_at = time.monotonic() + RECLAIM_EVERY_S
            return taken
        found = self._redis.xreadgroup(
            GROUP, self._consumer, {STREAM: ">"}, count=BATCH, block=self._block_ms
        )
        return self._process(
            [(_text(entry_id), fields) for _, entries in found for entry_id, fields in entries]
        )

    def _create_group(self) -> None:
        """Create the group at 0: after a FLUSHALL, entries that producers have added since are read too."""
        try:
            self._redis.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
            log.info("group_created")
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    def _unfinished(self) -> list[Entry]:
        """Return unfinished entries, our own and those of dead consumers; poison goes to quarantine."""
        pending = self._redis.xpending_range(STREAM, GROUP, "-", "+", BATCH)
        mine = self._consumer.encode()
        due = [
            item
            for item in pending
            if item["consumer"] == mine or item["time_since_delivered"] >= self._idle_ms
        ]
        claimed = []
        for idle_ms, owned in ((0, True), (self._idle_ms, False)):  # a second claimer must get nothing
            ids = [item["message_id"] for item in due if (item["consumer"] == mine) is owned]
            if ids:
                claimed += self._redis.xclaim(STREAM, GROUP, self._consumer, idle_ms, ids)
        tries = {_text(item["message_id"]): int(item["times_delivered"]) for item in due}
        entries = [(_text(entry_id), fields) for entry_id, fields in claimed if fields]
        poison = [entry for entry in entries if tries[entry[0]] >= TRIES]
        self._quarantine_poison(poison)
        return [entry for entry in entries if tries[entry[0]] < TRIES]

    def _quarantine_poison(self, entries: Sequence[Entry]) -> None:
        if entries:
            error = InvalidEvent("poison", f"Read {TRIES} times without success.")
            self._finish([Read(entry_id, fields.get(b"e", b""), error=error) for entry_id, fields in entries])

    def _process(self, entries: Sequence[Entry]) -> int:
        """Process a batch; if it fails, process its entries one by one: one must not block the others."""
        if not entries:
            return 0
        try:
            self._process_batch(entries)
        except (redis.RedisError, *DATABASE_AWAY):
            self._reset_tries(entries)
            raise
        except Exception:
            log.exception("batch_failed", extra={"entries": len(entries)})
            self._process_singly(entries)
        return len(entries)

    def _process_singly(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            try:
                self._process_batch([entry])
            except (redis.RedisError, *DATABASE_AWAY):
                self._reset_tries(entries)
                raise
            except Exception:  # it stays pending, and is quarantined after TRIES attempts
                log.exception("entry_failed", extra={"entry_id": entry[0]})

    def _reset_tries(self, entries: Sequence[Entry]) -> None:
        """Reset the entries' delivery counts: an outage must not turn them into poison."""
        with contextlib.suppress(redis.RedisError):
            ids = [entry_id for entry_id, _ in entries]
            self._redis.xclaim(STREAM, GROUP, self._consumer, 0, ids, retrycount=0, justid=True)

    def _process_batch(self, entries: Sequence[Entry]) -> None:
        reads = read_all(entries)
        self._shed(reads)
        good = [read for read in reads if read.envelope is not None]
        envelopes = [read.envelope for read in good if read.envelope is not None]
        acks = ingest(envelopes, now=clock.now()) if envelopes else []
        failpoint("stream_committed_before_ack")
        for read, ack in zip(good, acks, strict=True):
            read.ack = ack
            if is_refused(ack):
                read.error = InvalidEvent(ack.code, ack.detail, ack.field, ack.event_id)
        self._finish(reads)

    def _shed(self, reads: Sequence[Read]) -> None:
        """Refuse all but CRITICAL events while the stream is too long, or Redis is nearly full."""
        if not self._is_overloaded():
            return
        for read in reads:
            if read.envelope is not None and read.envelope.priority is not Priority.CRITICAL:
                read.ack = overload.refusal(read.envelope, clock.now())
                read.envelope = None

    def _is_overloaded(self) -> bool:
        """Return what Redis said about its load within the last second: a batch must not wait for it."""
        if (now := time.monotonic()) >= self._load_at:
            pipe = self._redis.pipeline(transaction=False)
            length, memory = pipe.xlen(STREAM).info("memory").execute()
            too_long = 0 < edge_settings().stream_max < length
            self._overloaded = too_long or memory["used_memory"] > _NEARLY_FULL * memory["maxmemory"] > 0
            self._load_at = now + self._load_every_s
        return self._overloaded

    def _finish(self, reads: Sequence[Read]) -> None:
        """Quarantine invalid entries, send the acks, and only then acknowledge the entries."""
        refused = [read for read in reads if read.error is not None]
        Quarantine.objects.bulk_create([quarantined(read) for read in refused], ignore_conflicts=True)
        pipe = self._redis.pipeline(transaction=False)
        for read in reads:
            if read.ack is not None and read.source and not _acked_by_replies(read.ack):
                add_ack(pipe, read.source, read.ack)
        try:
            pipe.execute()  # raises if an ack was not stored, and then no entry is acknowledged
        except OutOfMemoryError:
            # But for those to be sent again in any case: they make room for the acks of the others.
            self._remove([read for read in reads if read.ack and read.ack.code in LATER])
            raise
        failpoint("stream_acked_before_xack")
        self._remove(reads)

    def _remove(self, reads: Sequence[Read]) -> None:
        """Acknowledge these entries and delete them: never old ones, which may not have been read."""
        ids = [read.entry_id for read in reads]
        if ids:
            pipe = self._redis.pipeline(transaction=False)
            pipe.xack(STREAM, GROUP, *ids)
            pipe.xdel(STREAM, *ids)
            pipe.execute()


def _acked_by_replies(ack: Ack) -> bool:
    """A stored event that has ended gets its one final ack from `replies`."""
    return bool(ack.pk) and ack.final and not ack.duplicate


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
