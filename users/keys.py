"""API keys: `tsn_<prefix>_<secret>`.

The secret is random, with 256 bits, so a single SHA-256 protects it at rest. It is compared in constant time.
"""

import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

from runtime.postgres.cursor import binary_cursor
from users.models import ApiKey, Source
from users.people.values import PeopleRule

_FORM = re.compile(r"tsn_([a-z0-9]{10})_([A-Za-z0-9_-]{43})")
_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"

_LIVE = """
SELECT k.prefix, k.secret_digest, k.scopes, s.id, s.name, s.event_types, s.max_priority, s.topic_prefixes,
  s.may_create_people, s.may_vouch, s.people_prefixes, s.people_groups,
  s.link_hosts
FROM users_apikey k JOIN users_source s ON s.id = k.source_id
WHERE k.prefix = ANY(%b::text[]) AND s.enabled AND k.revoked_at IS NULL
  AND (k.expires_at IS NULL OR k.expires_at > %b)
"""


@dataclass(frozen=True, slots=True)
class LiveKey:
    """A valid key, with the rights of its source."""

    prefix: str
    digest: bytes = field(repr=False)
    scopes: Sequence[str]
    source_id: int
    source_name: str
    event_types: Sequence[str]  # empty: all
    max_priority: int
    topic_prefixes: Sequence[str]  # empty: no topic
    may_create_people: bool = False
    may_vouch: bool = False
    people_prefixes: Sequence[str] = ()
    people_groups: Sequence[str] = ()
    link_hosts: Sequence[str] = ()  # empty: no links

    @property
    def people(self) -> PeopleRule:
        return PeopleRule(tuple(self.people_prefixes), tuple(self.people_groups))

    def has(self, secret: str) -> bool:
        return secrets.compare_digest(bytes(self.digest), sha256(secret.encode()).digest())


def issue(source: Source, scopes: list[str], *, note: str = "", expires_at: datetime | None = None) -> str:
    """Create a key and return it. Its secret is not stored and cannot be read later."""
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


def authenticate(text: str, *, now: datetime) -> LiveKey | None:
    """Return the valid key with this text, or None. One query."""
    return authenticate_all([text], now=now).get(text)


def authenticate_all(texts: Iterable[str], *, now: datetime) -> dict[str, LiveKey]:
    """Return the valid keys among `texts`, by text. One query."""
    asked = {text: match.groups() for text in texts if (match := _FORM.fullmatch(text))}
    if not asked:
        return {}
    with binary_cursor() as cursor:
        cursor.execute(_LIVE, [list({prefix for prefix, _ in asked.values()}), now])
        known = {key.prefix: key for key in (LiveKey(*row) for row in cursor)}
    return {
        text: known[prefix]
        for text, (prefix, secret) in asked.items()
        if prefix in known and known[prefix].has(secret)
    }
