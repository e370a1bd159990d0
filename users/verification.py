"""Verifying an address by what is sent there: a code to enter, and a link to open, each good once.

Everything is counted in Postgres, under a lock of the person. A code belongs to the address that it was
sent to: after a change of the address it is worth nothing.
"""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import QuerySet

from users.acting import set_actor
from users.encryption import digests
from users.models import Destination, PersonChange, User, Verification
from users.people.destinations import find
from users.people.tokens import Refusal, TooMany, digest
from users.people.values import Rejected, Remark

VALID_FOR = timedelta(minutes=15)
TRIES = 5  # of one code
_DAY = timedelta(days=1)
_OF_ADDRESS = ((3, VALID_FOR), (10, _DAY))  # codes within a time, of all people together
_OF_PERSON = ((6, VALID_FOR), (20, _DAY))
_TOKEN_BYTES = 16


class WrongCode(Exception):
    def __init__(self, tries_left: int) -> None:
        super().__init__(tries_left)
        self.tries_left = tries_left


@dataclass(frozen=True, slots=True)
class Started:
    """What is to be sent, once: `code` and `token` are not stored."""

    pk: int
    code: str
    token: str
    expires_at: datetime


@transaction.atomic
def start(person: User, pk: int, *, now: datetime) -> Started:
    """Return a new code and a token for a destination; those before are over.

    Raises: `Rejected`, `TooMany`.
    """
    _lock(person)
    destination = find(person, pk)
    _check_verifiable(person, destination)
    current, *_ = addresses = _digests_of(destination)
    _take_turn(current)
    _check_limit(Verification.objects.filter(address_digest__in=addresses), _OF_ADDRESS, now)
    _check_limit(person.verifications.all(), _OF_PERSON, now)
    _open(destination).update(ended_at=now)
    code, token = f"{secrets.randbelow(10**6):06}", secrets.token_urlsafe(_TOKEN_BYTES)
    made = person.verifications.create(
        destination=destination,
        address_digest=current,
        code_digest=_digests_of_code(token_digest := digest(token), code)[0],
        token_digest=token_digest,
        created_at=now,
        expires_at=now + VALID_FOR,
    )
    return Started(made.pk, code, token, made.expires_at)


def withdraw(pk: int) -> None:
    """Take back a code that did not leave the house: it does not count."""
    Verification.objects.filter(pk=pk).delete()


def confirm(person: User, pk: int, code: str, *, now: datetime) -> Destination:
    """Verify a destination by its code, and return it. Raises: `Rejected`, `WrongCode`."""
    with transaction.atomic():
        _lock(person)
        destination = find(person, pk)
        _check_verifiable(person, destination)
        found = _open(destination).order_by("-created_at").first()
        if found is None or _refusal(found, now) is not None:
            raise Rejected(_over())
        is_right = _is_code(found, code)
        if is_right:
            set_actor(PersonChange.Surface.API, person.external_id)
            return _verified(found, destination, now)
        tries_left = _count_wrong(found, now)
    raise WrongCode(tries_left)  # after the commit, so that the try counts


def look_up(token: str, *, now: datetime) -> tuple[Verification | None, Refusal | None]:
    """Return what a link is about, and why it is worth nothing, if so. Changes nothing."""
    wanted = digest(token)
    found = Verification.objects.select_related("user", "destination").filter(token_digest=wanted).first()
    if found is None or not secrets.compare_digest(bytes(found.token_digest), wanted):
        return None, Refusal.UNKNOWN
    return found, _refusal(found, now)


@transaction.atomic
def confirm_link(token: str, *, now: datetime) -> Refusal | None:
    """Verify a destination by the link that was sent there. Return why not, or None."""
    about, refusal = look_up(token, now=now)
    if about is None or refusal is not None:
        return refusal
    _lock(about.user)
    found, refusal = look_up(token, now=now)  # as it is now that nobody else can change it
    if found is None or refusal is not None or found.destination is None:
        return refusal or Refusal.UNKNOWN
    set_actor(PersonChange.Surface.LINK, about.user.external_id)
    _verified(found, found.destination, now)
    return None


def forget_expired(*, now: datetime) -> int:
    """Delete what no limit counts any more. Return the number of rows."""
    return Verification.objects.filter(created_at__lt=now - _DAY).delete()[0]


# --- what may be verified -------------------------------------------------------------------------------
def _check_verifiable(person: User, destination: Destination) -> None:
    if destination.verified_at is not None:
        raise Rejected(Remark("already_verified", "This address is verified; there is nothing to do."))
    if not person.is_active:
        raise Rejected(Remark("inactive_user", "The person is disabled, and receives nothing."))
    if destination.disabled_at is not None:
        detail = f"The address is disabled ({destination.disabled_reason}): enable it first."
        raise Rejected(Remark("cannot_verify", detail))
    if not destination.plain_address:
        raise Rejected(Remark("unreadable", "No key decrypts this address; set it again."))


def _over() -> Remark:
    return Remark("code_expired", "There is no code that could be entered: ask for a new one.")


def _refusal(one: Verification, now: datetime) -> Refusal | None:
    if one.destination is None or not one.user.is_active or not _is_same_address(one, one.destination):
        return Refusal.UNKNOWN
    if one.ended_at is not None:
        return Refusal.USED
    return Refusal.EXPIRED if one.expires_at <= now else None


def _is_same_address(one: Verification, destination: Destination) -> bool:
    return bytes(one.address_digest) in _digests_of(destination)


# --- limits ---------------------------------------------------------------------------------------------
def _take_turn(address_digest: bytes) -> None:
    """Let the starts for one address come one after the other: it may be that of several people."""
    key = int.from_bytes(address_digest[:8], signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [key])


def _check_limit(
    sent: "QuerySet[Verification]", limits: Iterable[tuple[int, timedelta]], now: datetime
) -> None:
    for count, within in limits:
        recent = sent.filter(created_at__gt=now - within).order_by("-created_at")
        times = list(recent.values_list("created_at", flat=True)[:count])
        if len(times) == count:
            raise TooMany(max(1, round((times[-1] + within - now).total_seconds())))


def _count_wrong(one: Verification, now: datetime) -> int:
    """Count a wrong try and return how many are left; after the last one the code is over."""
    one.wrong_tries += 1
    if one.wrong_tries >= TRIES:
        one.ended_at = now
    one.save(update_fields=["wrong_tries", "ended_at"])
    return TRIES - one.wrong_tries


# --- rows and digests -----------------------------------------------------------------------------------
def _open(destination: Destination) -> "QuerySet[Verification]":
    return Verification.objects.filter(destination=destination, ended_at__isnull=True)


def _verified(one: Verification, destination: Destination, now: datetime) -> Destination:
    one.ended_at, destination.verified_at = now, destination.verified_at or now
    one.save(update_fields=["ended_at"])
    destination.save(update_fields=["verified_at"])
    return destination


def _lock(person: User) -> None:
    User.objects.select_for_update(no_key=True).only("pk").get(pk=person.pk)


def _digests_of(destination: Destination) -> list[bytes]:
    return digests([str(destination.kind), destination.plain_address])


def _is_code(one: Verification, code: str) -> bool:
    """Compare in constant time. People may group the digits."""
    given = _digests_of_code(bytes(one.token_digest), "".join(code.split()))
    return any(secrets.compare_digest(bytes(one.code_digest), digest) for digest in given)


def _digests_of_code(token_digest: bytes, code: str) -> list[bytes]:
    """A code has few digits, so its digest needs a key; the token's makes it differ from row to row."""
    return digests(["verification code", token_digest.hex(), code])
