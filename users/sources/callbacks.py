"""The callbacks of sources: their URLs, and their secrets, which sign as Standard Webhooks says.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha256

from django.conf import settings

from runtime import public_http
from users.models import Callback

OVERLAP = timedelta(hours=24)  # for this long the old secret signs too
_PREFIX = "whsec_"


def check_url(url: str) -> None:
    """Raises: `public_http.NotPublic`, with what is wrong."""
    public_http.check_url(url, private_hosts=settings.CALLBACK_PRIVATE_HOSTS)


def new_secret() -> str:
    return _PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def rotate_secret(callback: Callback, *, now: datetime) -> str:
    """Give the callback another secret and return it. Both sign until the overlap is over."""
    callback.old_secret, callback.old_secret_until = callback.secret, now + OVERLAP
    callback.secret = new_secret()
    callback.save(update_fields=["secret", "old_secret", "old_secret_until"])
    return callback.secret


def enable(callback: Callback) -> None:
    """Call it again; what has become due meanwhile is sent."""
    callback.disabled_at, callback.disabled_reason, callback.failing_since = None, "", None
    callback.save(update_fields=["disabled_at", "disabled_reason", "failing_since"])


def secrets_of(callback: Callback, *, now: datetime) -> list[str]:
    """Return the secrets that sign now, the newest first."""
    old = callback.old_secret_until is not None and now < callback.old_secret_until
    return [callback.secret, callback.old_secret] if old else [callback.secret]


def signed_headers(message_id: str, body: bytes, keys: Sequence[str], *, now: datetime) -> dict[str, str]:
    """Return the headers of a call: one signature for each secret."""
    timestamp = str(int(now.timestamp()))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return {
        "Content-Type": "application/json",
        "User-Agent": "Tocsin",
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{_signature(key, signed)}" for key in keys),
    }


def _signature(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    return base64.b64encode(hmac.new(key, signed, sha256).digest()).decode()
