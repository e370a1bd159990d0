"""What other systems post to a hook, in their own format: understood, taken in, answered, or kept for later.

Guarantee: what a known hook posts is accepted, known already, or in the quarantine, before it is answered.
Only an answer with status 413, 429 or 503 means that not all of it is: it is to be sent again.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256

from django.http import HttpResponse, JsonResponse

from gateway.auth.bearer import AuthFailed, grant_of
from gateway.codec import events, limits
from gateway.codec.acks import ack_to_json
from gateway.codec.encodings import decoded
from gateway.codec.limits import InvalidEvent
from gateway.codec.problems import LATER, problem
from gateway.ingress.publishing import OutcomeUnknown
from gateway.ingress.quarantine import is_refused, keep
from gateway.normalizers.base import Draft, Received
from gateway.normalizers.recipients import Addressed, directory
from gateway.normalizers.registry import normalizer
from notifications.events import Ack, Envelope, SourceGrant, rejected_ack
from notifications.ingest import ingest
from runtime.batching import Unavailable
from runtime.postgres import clock
from runtime.postgres.away import DATABASE_AWAY, CommitUnknown
from runtime.postgres.commits import commits_noticed
from users import hooks
from users.models import Hook

log = logging.getLogger(__name__)

_RAW_BYTES = 16 * 1024 * 1024  # of the events of one request together: each keeps what it was made of

Read = list[Envelope | InvalidEvent]


@dataclass(frozen=True, slots=True)
class HookRequest:
    """One request. `token` is that of its path or header; `body` is None if it is over its limit."""

    normalizer: str
    token: str = field(repr=False)
    body: bytes | None
    media_type: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    account: str = ""
    encoding: str = ""

    def context(self) -> dict[str, object]:
        """Return what a later try needs beside the bytes."""
        found = {
            "media_type": self.media_type,
            "headers": dict(self.headers),
            "account": self.account,
            "encoding": self.encoding,
        }
        return {name: value for name, value in found.items() if value}


@dataclass(frozen=True, slots=True)
class HookAnswer:
    """An ack for each event. `error`: why not all was accepted; then it is in the quarantine by this id."""

    acks: list[Ack]
    error: InvalidEvent | None = None
    quarantine_id: int = 0


@dataclass(frozen=True, slots=True)
class _Reading:
    request: HookRequest
    hook: Hook
    events: Read


def take(requests: Sequence[HookRequest]) -> list[HookAnswer | Exception]:
    """Authenticate, understand and take in; return for each request its answer, or why it is refused as a
    whole (`AuthFailed`, `InvalidEvent`).

    One domain call for the events of all. Raises: `Unavailable` when Postgres is away, or `OutcomeUnknown`.
    """
    now = clock.now()
    try:
        known = hooks.authenticate_all({one.token for one in requests}, now=now)
        readings = [_read(one, known.get(one.token), now) for one in requests]
        with commits_noticed():
            return answers(readings, now)
    except CommitUnknown as error:
        log.exception("ingest_unknown")
        raise OutcomeUnknown from error
    except DATABASE_AWAY as error:
        log.exception("ingest_failed")
        raise Unavailable from error


def answers(readings: Sequence[_Reading | Exception], now: datetime) -> list[HookAnswer | Exception]:
    """Take the events of all readings in, and keep what was not accepted. Raises: database errors."""
    read = [item for one in readings if isinstance(one, _Reading) for item in one.events]
    good = [item for item in read if isinstance(item, Envelope)]
    acks = iter(ingest(good, now=now) if good else [])
    return [_answer(one, acks, now) if isinstance(one, _Reading) else one for one in readings]


def _answer(reading: _Reading, accepted: Iterator[Ack], now: datetime) -> HookAnswer:
    acks = [next(accepted) if isinstance(one, Envelope) else _refused(one, now) for one in reading.events]
    error = next((_error(ack) for ack in acks if is_refused(ack)), None)
    if error is None:
        return HookAnswer(acks)
    request = reading.request
    kept = keep(reading.hook, request.body or b"", request.context(), error)
    log.warning("hook_quarantined", extra={"hook": reading.hook.prefix, "code": error.code})
    return HookAnswer(acks, error, kept)


def _refused(error: InvalidEvent, now: datetime) -> Ack:
    return rejected_ack(error.event_id, error.code, error.detail, now, field=error.field)


def _error(ack: Ack) -> InvalidEvent:
    return InvalidEvent(ack.code, ack.detail, ack.field, ack.event_id)


# --- understanding --------------------------------------------------------------------------------------
def _read(request: HookRequest, hook: Hook | None, now: datetime) -> _Reading | Exception:
    if hook is None:
        detail = "No hook has this token, or it is disabled. An operator finds it in the admin under Hooks."
        return AuthFailed("invalid_token", detail)
    if hook.normalizer != request.normalizer:
        detail = f"This is a hook for {hook.normalizer}: post to /api/v1/hooks/{hook.normalizer}/…"
        return InvalidEvent("not_found", detail)
    if request.body is None:
        return InvalidEvent("too_large", f"At most {limits.BATCH_BYTES} bytes.")
    return reading_of(request, hook, now)


def reading_of(request: HookRequest, hook: Hook, now: datetime) -> _Reading:
    """Return the events of a request, or the one error that stands for all of them."""
    try:
        return _Reading(request, hook, _events(request, hook, now))
    except InvalidEvent as error:
        return _Reading(request, hook, [error])
    except DATABASE_AWAY:
        raise
    except Exception:  # a fault of the normalizer must not lose what it was given
        log.exception("normalizer_failed", extra={"hook": hook.prefix})
        detail = "Our fault, and logged. It is kept, and can be tried again once this is mended."
        return _Reading(request, hook, [InvalidEvent("normalizer_failed", detail)])


def _events(request: HookRequest, hook: Hook, now: datetime) -> Read:
    form = normalizer(hook.normalizer)
    body = decoded(request.body or b"", request.encoding, longest=limits.BATCH_BYTES)
    options = form.check_options(hook.options)
    now_ms = round(now.timestamp() * 1000)
    source = grant_of(hook.source)
    received = Received(
        body,
        request.media_type,
        request.headers,
        request.account,
        options=options,
        now_ms=now_ms,
        link_hosts=source.link_hosts,
    )
    return _envelopes(form.read(received), body, source)


def _envelopes(drafts: Sequence[Draft], body: bytes, source: SourceGrant) -> Read:
    known = directory(source.id, drafts)
    read: Read = []
    for draft in drafts:
        try:
            read += [_envelope(one, body, source) for one in known.addressed(draft)]
        except InvalidEvent as error:
            error.event_id = error.event_id or draft.event_id
            read.append(error)
    raw_bytes = sum(len(one.raw) for one in read if isinstance(one, Envelope))
    if len(read) > limits.BATCH_EVENTS or raw_bytes > _RAW_BYTES:
        raise InvalidEvent("too_large", f"At most {limits.BATCH_EVENTS} events, and {_RAW_BYTES} bytes kept.")
    return read


def _envelope(addressed: Addressed, body: bytes, source: SourceGrant) -> Envelope:
    draft, event = addressed
    envelope = replace(events.from_json(event, source), raw=draft.raw or body)
    if not draft.same:
        return envelope
    same = f"{envelope.event_id}\0{draft.same}"
    return replace(envelope, digest=sha256(same.encode(errors="surrogatepass")).digest())


# --- answering ------------------------------------------------------------------------------------------
def http_answer(answer: HookAnswer) -> HttpResponse:
    """202 accepted, 200 known already or nothing to tell; a problem if nothing of it was accepted."""
    later = next((ack for ack in answer.acks if ack.code in LATER), None)
    if later is not None:
        return problem(later.code, later.detail)
    error = answer.error
    if error is not None and all(is_refused(ack) for ack in answer.acks):
        kept = f"{error.detail} It is kept in the quarantine."
        return problem(error.code, kept, field=error.field, quarantine_id=answer.quarantine_id)
    body: dict[str, object] = {"events": [ack_to_json(ack) for ack in answer.acks]}
    if error is not None:
        body |= {"code": error.code, "detail": error.detail, "quarantine_id": answer.quarantine_id}
    new = any(ack.pk and not ack.duplicate and not ack.final for ack in answer.acks)
    return JsonResponse(body, status=202 if new or error else 200)
