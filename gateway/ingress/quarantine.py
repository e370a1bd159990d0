"""What a hook could not accept is kept with the reason, once, until a later try accepts it."""

import json
from collections.abc import Mapping
from hashlib import sha256

from gateway.codec.limits import InvalidEvent
from gateway.codec.problems import LATER
from notifications.events import Ack
from notifications.models import Quarantine
from notifications.states import AckStatus, EndCode
from users.models import Hook

# Refused, and nothing to look into: there is no page, or the event comes again.
NOT_KEPT = frozenset({EndCode.NO_SESSION, *LATER})


def is_refused(ack: Ack) -> bool:
    """Return whether an event was refused for a reason that somebody has to look into."""
    return ack.status is AckStatus.ACK_ERROR and not ack.pk and ack.code not in NOT_KEPT


def keep(hook: Hook, body: bytes, context: Mapping[str, object], error: InvalidEvent) -> int:
    """Keep what was posted, and return the id of its row. The same again is one row, open once more."""
    reason = _text(f"{error.field}: {error.detail}" if error.field else error.detail)[:300]
    row, created = Quarantine.objects.get_or_create(
        ingress="hook",
        entry_id=_digest(hook, body, context),
        defaults={
            "source_name": hook.source.name,
            "code": error.code,
            "reason": reason,
            "content": body,
            "hook": hook,
            "context": json.loads(_text(json.dumps(context))),
        },
    )
    if not created:
        Quarantine.objects.filter(pk=row.pk).update(code=error.code, reason=reason, resolved_at=None)
    return row.pk


def _digest(hook: Hook, body: bytes, context: Mapping[str, object]) -> str:
    beside = json.dumps(context, sort_keys=True).encode()
    return sha256(b"%d\0%b\0%b" % (hook.pk, beside, body)).hexdigest()


def _text(text: str) -> str:
    """Return the text without what Postgres cannot store."""
    return text.replace("\0", "").replace("\\u0000", "").encode(errors="replace").decode()
