"""API keys: `tsn_<prefix>_<secret>`.

The secret is random, with 256 bits, so a single SHA-256 protects it at rest. It is compared in constant time.
"""

import logging
import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256

from django.db import DatabaseError, transaction

from runtime.postgres.cursor import binary_cursor
from users.models import ApiKey, Source
from users.people.values import PeopleRule

log = logging.getLogger(__name__)

_FORM = re.compile(r"tsn_([a-z0-9]{10})_([A-Za-z0-9_-]{43})")
_TEST = "test"
_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"

_USED_WITHIN = timedelta(minutes=5)  # a key in use is written this seldom
OVERLAP = timedelta(hours=24)  # unless told otherwise, a rotated key is still good for this long

_USED = """
UPDATE users_apikey SET last_used_at = %b WHERE id IN (
  SELECT id FROM users_apikey WHERE prefix = ANY(%b::text[]) FOR UPDATE SKIP LOCKED
)
"""

_LIVE = """
SELECT k.prefix, k.secret_digest, k.scopes, s.id, s.name, s.event_types, s.max_priority, s.topic_prefixes,
  s.may_create_people, s.may_vouch, s.people_prefixes, s.people_groups,
  s.link_hosts, k.last_used_at, k.test, k.rate_per_s, k.burst, s.events_per_day, s.open_events,
  EXISTS (SELECT FROM users_callback c WHERE c.source_id = s.id AND c.disabled_at IS NULL)
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
    last_used_at: datetime | None = None
    test: bool = False  # its events are simulated
    rate_per_s: int | None = None  # None: the default; 0: no limit
    burst: int | None = None
    events_per_day: int = 0  # of the source; 0: no limit
    open_events: int = 0
    callback: bool = False  # final acks go to a callback of the source

    @property
    def people(self) -> PeopleRule:
        return PeopleRule(tuple(self.people_prefixes), tuple(self.people_groups))

    def has(self, secret: str) -> bool:
        return secrets.compare_digest(bytes(self.digest), sha256(secret.encode()).digest())


def issue(
    source: Source,
    scopes: list[str],
    *,
    note: str = "",
    expires_at: datetime | None = None,
    test: bool = False,
) -> str:
    """Create a key and return it. Its secret is not stored and cannot be read later."""
    prefix = _new_prefix(test=test)
    secret = secrets.token_urlsafe(32)
    ApiKey.objects.create(
        source=source,
        prefix=prefix,
        secret_digest=sha256(secret.encode()).digest(),
        scopes=scopes,
        note=note,
        expires_at=expires_at,
        test=test,
    )
    return f"tsn_{prefix}_{secret}"


def _new_prefix(*, test: bool) -> str:
    """Return ten characters, which begin with `test` if it is the key of a test, and only then."""
    while True:
        drawn = "".join(secrets.choice(_ALPHABET) for _ in range(10))
        if test:
            return _TEST + drawn[len(_TEST) :]
        if not drawn.startswith(_TEST):
            return drawn


class NotLive(Exception):
    """The key was revoked, or has expired: it has no successor."""


def rotate(prefix: str, *, overlap: timedelta = OVERLAP, now: datetime) -> str:
    """Return a new key with the name, scopes and lifetime of this one, which ends after `overlap`.

    Both are good meanwhile, so that each producer can change over by itself. Raises: `NotLive`.
    """
    with transaction.atomic():
        old = ApiKey.objects.select_for_update().filter(prefix=prefix, revoked_at=None).first()
        if old is None or (old.expires_at is not None and old.expires_at <= now):
            raise NotLive
        lifetime = None if old.expires_at is None else old.expires_at - old.created_at
        expires_at = None if lifetime is None else now + lifetime
        made = issue(old.source, old.scopes, note=old.note, expires_at=expires_at, test=old.test)
        ApiKey.objects.filter(prefix=made.split("_")[1]).update(rate_per_s=old.rate_per_s, burst=old.burst)
        old.expires_at = min(old.expires_at or now + overlap, now + overlap)
        old.save(update_fields=["expires_at"])
    return made


def authenticate(text: str, *, now: datetime) -> LiveKey | None:
    """Return the valid key with this text, or None. One query."""
    return authenticate_all([text], now=now).get(text)


def authenticate_all(texts: Iterable[str], *, now: datetime) -> dict[str, LiveKey]:
    """Return the valid keys among `texts`, by text. One query, and every five minutes another one."""
    asked = {text: match.groups() for text in texts if (match := _FORM.fullmatch(text))}
    if not asked:
        return {}
    with binary_cursor() as cursor:
        cursor.execute(_LIVE, [list({prefix for prefix, _ in asked.values()}), now])
        known = {key.prefix: key for key in (LiveKey(*row) for row in cursor)}
    found = {
        text: known[prefix]
        for text, (prefix, secret) in asked.items()
        if prefix in known and known[prefix].has(secret)
    }
    _note_use(found.values(), now)
    return found


def _note_use(used: Iterable[LiveKey], now: datetime) -> None:
    """Write when these keys were used, if that was not written lately. A row that is locked is left out."""
    stale = [key.prefix for key in used if key.last_used_at is None or now - key.last_used_at > _USED_WITHIN]
    if not stale:
        return
    try:
        with transaction.atomic(), binary_cursor() as cursor:
            cursor.execute(_USED, [now, stale])
    except DatabaseError as error:  # such as a database that only reads: the key is good all the same
        log.warning("key_use_not_noted", extra={"error": type(error).__name__})
