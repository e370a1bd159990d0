"""What producers post over HTTP: JSON or protobuf, one event or many. Understood, taken in, answered."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse, JsonResponse

from gateway.auth import key_rates
from gateway.auth.bearer import AuthFailed, grant_of_key, require_scope
from gateway.auth.key_rates import RateLimited, Standing
from gateway.codec import events, limits
from gateway.codec.acks import ack_to_json, ack_to_protobuf, acks_to_protobuf
from gateway.codec.encodings import decoded
from gateway.codec.limits import InvalidEvent
from gateway.codec.problems import LATER, from_ack, from_malformed, problem, retry_after, status_of
from notifications.events import Ack, Envelope, SourceGrant, rejected_ack
from notifications.ingest import ingest
from runtime.batching import Unavailable
from runtime.postgres import clock
from runtime.postgres.away import DATABASE_AWAY, CommitUnknown
from runtime.postgres.commits import commits_noticed
from users import keys
from users.keys import LiveKey

log = logging.getLogger(__name__)

SCOPE = "publish"
Read = list[Envelope | InvalidEvent]
Refusal = AuthFailed | RateLimited | InvalidEvent


class Acks(list[Ack]):
    """The acks of one request, and where its key stands, if it has a rate."""

    standing: Standing | None = None


class OutcomeUnknown(Unavailable):
    """Postgres went away after a COMMIT had been sent: some or all of it may be accepted."""


@dataclass(frozen=True, slots=True)
class PublishRequest:
    """One request. `key` is the bearer's text, `body` None if it is over its limit."""

    key: str
    media_type: str
    body: bytes | None
    many: bool
    wait_s: float = 0.0
    encoding: str = ""

    @property
    def protobuf(self) -> bool:
        return self.media_type == events.PROTOBUF

    @property
    def weight(self) -> int:
        """How many events it may have."""
        return limits.BATCH_EVENTS if self.many else 1


def take(posts: Sequence[PublishRequest]) -> list[Acks | Exception]:
    """Authenticate, understand and take in; return for each post its acks, or why it is refused as a whole
    (`AuthFailed`, `RateLimited`, `InvalidEvent`).

    One query for all keys and one domain call for all events. In a batch the bad ones do not stop the others.
    Raises: `Unavailable` when Postgres is away, which means that nothing was accepted, or `OutcomeUnknown`.
    """
    now = clock.now()
    try:
        known = keys.authenticate_all({post.key for post in posts}, now=now)
        posted = [known.get(post.key) for post in posts]
        reads = [_read(post, key) for post, key in zip(posts, posted, strict=True)]
        standings = _limit(posted, reads)
        envelopes = [item for read in reads if isinstance(read, list) for item in read]
        good = [item for item in envelopes if isinstance(item, Envelope)]
        with commits_noticed():
            acks = iter(ingest(good, now=now) if good else [])
    except CommitUnknown as error:
        log.exception("ingest_unknown")
        raise OutcomeUnknown from error
    except DATABASE_AWAY as error:
        log.exception("ingest_failed")
        raise Unavailable from error
    return [
        _answer(read, acks, standing) if isinstance(read, list) else read
        for read, standing in zip(reads, standings, strict=True)
    ]


def _limit(posted: Sequence[LiveKey | None], reads: list[Read | Refusal]) -> list[Standing | None]:
    """Count what each key sent against its rate, and replace what is above it by its refusal."""
    counted = [
        (index, key, len(read) if isinstance(read, list) else 1)
        for index, (key, read) in enumerate(zip(posted, reads, strict=True))
        if key is not None and key_rates.limited(key)
    ]
    standings: list[Standing | None] = [None] * len(reads)
    if counted:
        taken = key_rates.take([(key, max(1, cost)) for _, key, cost in counted])
        for (index, _, _), standing in zip(counted, taken, strict=True):
            standings[index] = standing
            if standing is not None and not standing.taken:
                reads[index] = RateLimited(standing)
    return standings


def _answer(read: Read, acks: Iterator[Ack], standing: Standing | None) -> Acks:
    answer = Acks(next(acks) if isinstance(item, Envelope) else _refused(item) for item in read)
    answer.standing = standing
    return answer


def _refused(error: InvalidEvent) -> Ack:
    return rejected_ack(error.event_id, error.code, error.detail, clock.now(), field=error.field)


# --- understanding --------------------------------------------------------------------------------------
def _read(post: PublishRequest, key: LiveKey | None) -> Read | Refusal:
    try:
        source = grant_of_key(require_scope(key, SCOPE))
        body = _body(post)
        return _read_many(body, post, source) if post.many else [_read_one(body, post, source)]
    except (AuthFailed, InvalidEvent) as error:
        return error


def _body(post: PublishRequest) -> bytes:
    if post.media_type not in {"application/json", events.PROTOBUF}:
        raise InvalidEvent("unsupported_media_type", f"Send application/json or {events.PROTOBUF}.")
    longest = limits.BATCH_BYTES if post.many else limits.EVENT_BYTES
    if post.body is None:
        raise InvalidEvent("too_large", f"At most {longest} bytes.")
    if not post.wait_s >= 0:  # not a number is neither
        raise InvalidEvent("invalid_parameter", "Seconds to wait: a number, 0 or more.", "wait")
    return decoded(post.body, post.encoding, longest=longest)


def _read_one(body: bytes, post: PublishRequest, source: SourceGrant) -> Envelope:
    if post.protobuf:
        return events.from_protobuf(body, source)
    return events.from_json(limits.parse_json(body, ""), source, raw=body)


def _read_many(body: bytes, post: PublishRequest, source: SourceGrant) -> Read:
    read: Read = []
    for item, decode in _items(body, post):
        try:
            read.append(decode(item, source))
        except InvalidEvent as error:
            read.append(error)
    return read


def _items(body: bytes, post: PublishRequest) -> list[tuple[Any, Callable[[Any, SourceGrant], Envelope]]]:
    if post.protobuf:
        items: list[Any] = events.parse_batch(body)
        decode: Callable[[Any, SourceGrant], Envelope] = events.from_message
    else:
        parsed = limits.parse_json(body, "")
        found = parsed.get("events") if isinstance(parsed, dict) else None
        if not isinstance(found, list):
            raise InvalidEvent("not_an_object", 'Send {"events": [ … ]}.', "events")
        items, decode = found, events.from_json
    if len(items) > limits.BATCH_EVENTS:
        raise InvalidEvent("too_large", f"At most {limits.BATCH_EVENTS} events a batch.", "events")
    return [(item, decode) for item in items]


# --- answering ------------------------------------------------------------------------------------------
def one_answer(ack: Ack, *, protobuf: bool) -> HttpResponse:
    """202 accepted, 200 known already or ended, 4xx refused."""
    status = _status(ack)
    if protobuf:
        body = ack_to_protobuf(ack)
        return HttpResponse(body, status=status, content_type=events.PROTOBUF, headers=retry_after(ack.code))
    if status >= 400:
        return from_ack(ack)
    return JsonResponse(ack_to_json(ack), status=status)


def _status(ack: Ack) -> int:
    if ack.simulated:
        return 200
    if ack.pk:
        return 200 if ack.duplicate or ack.final else 202
    # An INFORMATIONAL event that nobody saw was handled as asked.
    return 200 if ack.status == "DELIVERED" or ack.code == "no_session" else status_of(ack.code)


def many_answer(acks: Sequence[Ack], *, protobuf: bool) -> HttpResponse:
    """200 with an ack for each; 429 or 503 if all are to be sent again."""
    codes = {ack.code for ack in acks}
    [code] = codes if len(codes) == 1 and codes <= LATER else [""]
    status = status_of(code) if code else 200
    headers = retry_after(*codes)
    if status != 200 and not protobuf:
        return problem(code, acks[0].detail)
    if protobuf:
        body = acks_to_protobuf(acks)
        return HttpResponse(body, status=status, content_type=events.PROTOBUF, headers=headers)
    return JsonResponse({"acks": [ack_to_json(ack) for ack in acks]}, status=status, headers=headers)


def malformed_answer(error: InvalidEvent, *, protobuf: bool) -> HttpResponse:
    """A problem document; for who speaks protobuf, the ack that says the same."""
    if not protobuf:
        return from_malformed(error)
    status = status_of(error.code)
    return HttpResponse(ack_to_protobuf(_refused(error)), status=status, content_type=events.PROTOBUF)
