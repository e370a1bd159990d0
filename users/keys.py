"""API keys: `tsn_<prefix>_<secret>`.

The secret has 256 bits of its own entropy, so one SHA-256 is enough to store it; it is compared in
constant time.
"""

import re
import secrets
from datetime import datetime
from hashlib import sha256

from django.db.models import Q

from users.models import ApiKey, Source

_FORM = re.compile(r"tsn_([a-z0-9]{10})_([A-Za-z0-9_-]{43})")
_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"


def issue(source: Source, scopes: list[str], *, note: str = "", expires_at: datetime | None = None) -> str:
    """Create a key and return it. It can never be read again."""
    prefix = "".join(secrets.choice(_ALPHABET) for _ in range(10))
    secret = secrets.token_urlsafe(32)
    ApiKey.objects.create(
        source=source,
        prefix=prefix,
        secret_digest=sha256(secret.encode()).digest(),
        scopes=scopes,
        note=note,
        expires_at=expires_at,
    )
    return f"tsn_{prefix}_{secret}"


def authenticate(text: str, *, now: datetime) -> ApiKey | None:
    """Return the live key that `text` is, with its source, or None. One query."""
    match = _FORM.fullmatch(text)
    if match is None:
        return None
    prefix, secret = match.groups()
    key = (
        ApiKey.objects.select_related("source")
        .filter(Q(expires_at__isnull=True) | Q(expires_at__gt=now), prefix=prefix, source__enabled=True)
        .filter(revoked_at__isnull=True)
        .first()
    )
    digest = sha256(secret.encode()).digest()
    if key is None or not secrets.compare_digest(bytes(key.secret_digest), digest):
        return None
    return key
