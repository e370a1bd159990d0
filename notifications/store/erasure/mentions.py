"""What quotes a person outside their own events: quarantined bytes, audits, notices of the bot."""

import json
import re
from collections.abc import Collection, Iterable
from typing import Any

from django.db import transaction

from notifications.models import (
    BotUpdate,
    MessageTemplate,
    Quarantine,
    Replay,
    TemplateChange,
    TemplateVersion,
)
from users.models import Hook

_LONG = 8  # bytes; something shorter counts where it stands alone, as every third number contains a 1
_WORD = rb"[A-Za-z0-9_.\-]"
_CHUNK = 500


def erase_mentions(sought: Collection[str], *, reference: str) -> int:
    """Empty what quotes one of these ids and addresses; audits name `reference` instead. Idempotent.

    Return the number of quarantined entries that were emptied: their code and time stay.
    """
    _rename_operators(sought, reference)
    _rename_in_filters(sought, reference)
    _rename_in_hooks(sought, reference)
    _drop_notices(sought)
    return _empty_quarantine(sought)


def quotes(content: bytes, sought: Iterable[str]) -> bool:
    """Return whether an id or address stands in the bytes: as text, in JSON's escapes, or in protobuf."""
    return any(_stands_in(form, content) for one in sought for form in _forms(one))


def _forms(text: str) -> set[bytes]:
    return {text.encode(), json.dumps(text)[1:-1].encode()}


def _stands_in(form: bytes, content: bytes) -> bool:
    if form not in content:
        return False
    alone = rb"(?<!" + _WORD + rb")" + re.escape(form) + rb"(?!" + _WORD + rb")"
    return len(form) >= _LONG or re.search(alone, content) is not None or bytes([len(form)]) + form in content


def _empty_quarantine(sought: Collection[str]) -> int:
    """Read the table in chunks: what could not be parsed can only be searched."""
    last, count = 0, 0
    while rows := list(Quarantine.objects.filter(pk__gt=last).order_by("pk")[:_CHUNK]):
        last = rows[-1].pk
        found = [row.pk for row in rows if quotes(_all_of(row), sought)]
        count += Quarantine.objects.filter(pk__in=found).update(content=b"", reason="erased", context={})
    return count


def _all_of(row: Quarantine) -> bytes:
    beside = json.dumps(row.context, ensure_ascii=False).encode(errors="surrogatepass")
    return b"\n".join((bytes(row.content), row.reason.encode(), beside))


def _rename_operators(sought: Collection[str], reference: str) -> None:
    """An operator of the admin is a person too."""
    TemplateChange.objects.filter(who__in=sought).update(who=reference)
    TemplateVersion.objects.filter(published_by__in=sought).update(published_by=reference)
    MessageTemplate.objects.filter(draft_saved_by__in=sought).update(draft_saved_by=reference)
    Replay.objects.filter(who__in=sought).update(who=reference)


def _rename_in_filters(sought: Collection[str], reference: str) -> None:
    for row in Replay.objects.exclude(filter={}).iterator(_CHUNK):
        renamed = _renamed(row.filter, sought, reference)
        if renamed != row.filter:
            Replay.objects.filter(pk=row.pk).update(filter=renamed)


def _rename_in_hooks(sought: Collection[str], reference: str) -> None:
    """A hook's routes may name a person."""
    for row in Hook.objects.exclude(options={}).iterator(_CHUNK):
        renamed = _renamed(row.options, sought, reference)
        if renamed != row.options:
            Hook.objects.filter(pk=row.pk).update(options=renamed)


def _renamed(value: Any, sought: Collection[str], reference: str) -> Any:
    if isinstance(value, dict):
        return {name: _renamed(item, sought, reference) for name, item in value.items()}
    if isinstance(value, list):
        return [_renamed(item, sought, reference) for item in value]
    if isinstance(value, str) and quotes(value.encode(), sought):
        return reference
    return value


def _drop_notices(sought: Collection[str]) -> None:
    with transaction.atomic():
        for row in BotUpdate.objects.exclude(notices=[]).select_for_update():
            kept = [one for one in row.notices if not quotes(json.dumps(one).encode(), sought)]
            if kept != row.notices:
                BotUpdate.objects.filter(pk=row.pk).update(notices=kept)
