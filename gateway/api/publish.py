"""Taking events in over HTTP: JSON or protobuf, one or many. Each call makes one domain call."""

import logging
from collections.abc import Callable
from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone

from gateway import codec, limits
from gateway.ack_codec import ack_to_json, ack_to_protobuf, acks_to_protobuf
from gateway.auth import grant_of
from gateway.limits import Malformed
from gateway.problems import DATABASE_AWAY, from_ack, from_malformed, status_of
from notifications.events import Ack, Envelope, SourceGrant, refusal
from notifications.ingest import ingest
from users.models import ApiKey

log = logging.getLogger(__name__)


class Unavailable(Exception):
    """Postgres is away: nothing was accepted."""


async def publish_one(request: HttpRequest) -> tuple[Ack, bool]:
    """Take in one event. Return its ack, and whether the answer is protobuf.

    Raises: `Malformed`, `Unavailable`.
    """
    protobuf = _is_protobuf(request)
    body = _body(request, limits.EVENT_BYTES)
    source = grant_of(_key(request).source)
    envelope = (
        codec.from_protobuf(body, source)
        if protobuf
        else codec.from_json(limits.parse_json(body, ""), source, raw=body)
    )
    acks = await _ingest([envelope])
    return acks[0], protobuf


async def publish_batch(request: HttpRequest) -> tuple[list[Ack], bool]:
    """Take in up to 1,000 events. Return one ack for each, in order; bad ones do not stop the others.

    Raises: `Malformed` if the batch itself cannot be read, `Unavailable`.
    """
    protobuf = _is_protobuf(request)
    body = _body(request, limits.BATCH_BYTES)
    source = grant_of(_key(request).source)
    read: list[Envelope | Malformed] = []
    for item, decode in _items(body, protobuf):
        try:
            read.append(decode(item, source))
        except Malformed as error:
            read.append(error)
    good = [item for item in read if isinstance(item, Envelope)]
    taken = iter(await _ingest(good))
    return [next(taken) if isinstance(item, Envelope) else _refused(item) for item in read], protobuf


def _items(body: bytes, protobuf: bool) -> list[tuple[Any, Callable[[Any, SourceGrant], Envelope]]]:
    if protobuf:
        items: list[Any] = codec.parse_batch(body)
        decode: Callable[[Any, SourceGrant], Envelope] = codec.from_message
    else:
        parsed = limits.parse_json(body, "")
        found = parsed.get("events") if isinstance(parsed, dict) else None
        if not isinstance(found, list):
            raise Malformed("not_an_object", 'Send {"events": [ … ]}.', "events")
        items, decode = found, codec.from_json
    if len(items) > limits.BATCH_EVENTS:
        raise Malformed("too_large", f"At most {limits.BATCH_EVENTS} events a batch.", "events")
    return [(item, decode) for item in items]


def _refused(error: Malformed) -> Ack:
    return refusal(error.event_id, error.code, error.detail, timezone.now(), field=error.field)


def _key(request: HttpRequest) -> ApiKey:
    key: ApiKey = request.auth  # type: ignore[attr-defined]
    return key


def _is_protobuf(request: HttpRequest) -> bool:
    kind = request.content_type or ""
    if kind not in {"application/json", codec.PROTOBUF}:
        raise Malformed("unsupported_media_type", f"Send application/json or {codec.PROTOBUF}.")
    return kind == codec.PROTOBUF


def _body(request: HttpRequest, longest: int) -> bytes:
    declared = int(request.headers.get("Content-Length") or 0)
    if declared > longest or len(request.body) > longest:
        raise Malformed("too_large", f"At most {longest} bytes.")
    return request.body


def json_body(request: HttpRequest) -> dict[str, Any]:
    """Return the object in the body of a call that speaks only JSON. Raises: `Malformed`."""
    if request.content_type != "application/json":
        raise Malformed("unsupported_media_type", "Send application/json.")
    body = limits.parse_json(_body(request, limits.EVENT_BYTES), "")
    if not isinstance(body, dict):
        raise Malformed("not_an_object", "Send a JSON object.")
    return body


async def _ingest(envelopes: list[Envelope]) -> list[Ack]:
    if not envelopes:
        return []
    try:
        return await sync_to_async(ingest)(envelopes, now=timezone.now())
    except DATABASE_AWAY as error:
        log.exception("ingest_failed")
        raise Unavailable from error


def one_answer(ack: Ack, protobuf: bool) -> HttpResponse:
    """202 accepted, 200 known already or ended, 4xx refused."""
    status = _status(ack)
    if protobuf:
        return HttpResponse(ack_to_protobuf(ack), status=status, content_type=codec.PROTOBUF)
    if status >= 400:
        return from_ack(ack)
    return JsonResponse(ack_to_json(ack), status=status)


def _status(ack: Ack) -> int:
    if ack.pk:
        return 200 if ack.duplicate or ack.final else 202
    # An INFORMATIONAL event that nobody saw was handled as asked.
    return 200 if ack.status == "DELIVERED" or ack.code == "no_session" else status_of(ack.code)


def batch_answer(acks: list[Ack], protobuf: bool) -> HttpResponse:
    if protobuf:
        return HttpResponse(acks_to_protobuf(acks), content_type=codec.PROTOBUF)
    return JsonResponse({"acks": [ack_to_json(ack) for ack in acks]})


def malformed_answer(error: Malformed, protobuf: bool) -> HttpResponse:
    """A problem document; for who speaks protobuf, the ack that says the same."""
    if not protobuf:
        return from_malformed(error)
    status = status_of(error.code)
    return HttpResponse(ack_to_protobuf(_refused(error)), status=status, content_type=codec.PROTOBUF)
