"""What is in the quarantine, tried again: after a mapping, an account, a right or the code was mended."""

from collections.abc import Iterable
from datetime import datetime

from gateway.codec.limits import InvalidEvent
from gateway.codec.problems import LATER
from gateway.ingress.entries import read_all
from gateway.ingress.hooks import HookAnswer, HookRequest, answers, reading_of
from gateway.ingress.quarantine import is_refused
from notifications.ingest import ingest
from notifications.models import Quarantine
from runtime.postgres.commits import commits_noticed


def try_again(rows: Iterable[Quarantine], *, now: datetime) -> dict[int, InvalidEvent | None]:
    """Take each in as if it came now, under the ids that it has: nothing is told twice.

    Return for each row the reason why it stays, None if it was accepted. Raises: database errors.
    """
    found: dict[int, InvalidEvent | None] = {}
    for row in rows:
        error = _erased(row) or (_of_hook(row, now) if row.ingress == "hook" else _of_stream(row, now))
        found[row.pk] = error
        if error is None:
            Quarantine.objects.filter(pk=row.pk).update(resolved_at=now)
        else:
            reason = f"{error.field}: {error.detail}" if error.field else error.detail
            Quarantine.objects.filter(pk=row.pk).update(code=error.code, reason=reason[:300])
    return found


def _erased(row: Quarantine) -> InvalidEvent | None:
    if row.reason == "erased" and not row.content:
        return InvalidEvent(row.code, "erased")
    return None


@commits_noticed()
def _of_hook(row: Quarantine, now: datetime) -> InvalidEvent | None:
    if row.hook is None:
        return InvalidEvent(row.code, "Its hook was deleted.")
    context = row.context
    request = HookRequest(
        normalizer=row.hook.normalizer,
        token="",
        body=bytes(row.content),
        media_type=context.get("media_type", ""),
        headers=context.get("headers", {}),
        account=context.get("account", ""),
        encoding=context.get("encoding", ""),
    )
    [answer] = answers([reading_of(request, row.hook, now)], now)
    assert isinstance(answer, HookAnswer)
    later = next((ack for ack in answer.acks if ack.code in LATER), None)
    return InvalidEvent(later.code, later.detail) if later is not None else answer.error


@commits_noticed()
def _of_stream(row: Quarantine, now: datetime) -> InvalidEvent | None:
    [read] = read_all([(row.entry_id, {b"e": bytes(row.content)})])
    if read.envelope is None:
        return read.error
    [ack] = ingest([read.envelope], now=now)
    if is_refused(ack) or ack.code in LATER:
        return InvalidEvent(ack.code, ack.detail, ack.field, ack.event_id)
    return None
