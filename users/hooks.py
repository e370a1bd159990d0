"""Tokens of hooks: `hook_<prefix>_<secret>`.

As with API keys, the secret is random with 256 bits, so a single SHA-256 protects it at rest.
"""

import re
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from hashlib import sha256

from users.models import Hook

PREVIOUS_FOR = timedelta(days=1)  # the senders' configuration is changed within this
_FORM = re.compile(r"hook_([a-z0-9]{10})_([A-Za-z0-9_-]{43})")
_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"


def issue(hook: Hook) -> str:
    """Store a new hook and return its token. Its secret is not stored and cannot be read later."""
    hook.prefix = "".join(secrets.choice(_ALPHABET) for _ in range(10))
    secret = secrets.token_urlsafe(32)
    hook.secret_digest = _digest(secret)
    hook.save(force_insert=True)
    return f"hook_{hook.prefix}_{secret}"


def rotate(hook: Hook, *, now: datetime, previous_for: timedelta = PREVIOUS_FOR) -> str:
    """Give the hook a new token and return it. The one before is good for `previous_for` more."""
    secret = secrets.token_urlsafe(32)
    Hook.objects.filter(pk=hook.pk).update(
        previous_digest=hook.secret_digest if previous_for else None,
        previous_until=now + previous_for if previous_for else None,
        secret_digest=_digest(secret),
        rotated_at=now,
    )
    return f"hook_{hook.prefix}_{secret}"


def authenticate_all(tokens: Iterable[str], *, now: datetime) -> dict[str, Hook]:
    """Return the enabled hooks of enabled sources by the tokens that are theirs. One query."""
    asked = {token: match.groups() for token in tokens if (match := _FORM.fullmatch(token))}
    if not asked:
        return {}
    rows = Hook.objects.select_related("source").filter(
        prefix__in={prefix for prefix, _ in asked.values()}, enabled=True, source__enabled=True
    )
    known = {hook.prefix: hook for hook in rows}
    return {
        token: known[prefix]
        for token, (prefix, secret) in asked.items()
        if prefix in known and _has(known[prefix], secret, now)
    }


def _has(hook: Hook, secret: str, now: datetime) -> bool:
    good = [hook.secret_digest]
    if hook.previous_digest and hook.previous_until and now < hook.previous_until:
        good.append(hook.previous_digest)
    given = _digest(secret)
    return any(secrets.compare_digest(bytes(one), given) for one in good)


def _digest(secret: str) -> bytes:
    return sha256(secret.encode()).digest()
