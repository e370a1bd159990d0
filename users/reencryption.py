"""Moving all addresses to the newest key, and finding those that no key decrypts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from django.db import IntegrityError, connection, transaction

from users.acting import NOBODY, set_actor
from users.encryption import CannotDecrypt, Undecryptable, decrypt, digests, encrypt, is_current
from users.models import Callback, Erasure

_BATCH = 500
_READ = """
SELECT id, kind, address, address_digest FROM users_destination WHERE id > %s ORDER BY id LIMIT %s
"""
# A row that changed meanwhile has been encrypted with the newest key already.
_WRITE = """
UPDATE users_destination d SET address = n.address, address_digest = n.digest
FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::bytea[]) AS n(id, old, address, digest)
WHERE d.id = n.id AND d.address = n.old
"""

_ENDS = """
(SELECT id, address FROM users_destination ORDER BY id LIMIT 300)
UNION (SELECT id, address FROM users_destination ORDER BY id DESC LIMIT 300)
"""

Row = tuple[int, int, str, bytes]
Change = tuple[int, str, str, bytes]


@dataclass
class Reencrypted:
    """What came of the addresses; `undecryptable` and `twice` hold ids of destinations."""

    changed: int
    current: int
    undecryptable: list[int]
    twice: list[int]  # the same person has the same address in another row, under the newest key
    erasures: int = 0  # unfinished ones, encrypted again
    undecryptable_erasures: list[str] = field(default_factory=list)


def reencrypt() -> Reencrypted:
    """Encrypt with the newest key every address, the secrets, and what unfinished erasures look for.

    A second run changes nothing.
    """
    done = Reencrypted(0, 0, [], [])
    _reencrypt_erasures(done)
    for callback in Callback.objects.all():  # what no key decrypts is written back as it was
        callback.save(update_fields=["secret", "old_secret"])
    for rows in _batches():
        changes = []
        for row in rows:
            try:
                change = _change(row)
            except CannotDecrypt:
                done.undecryptable.append(row[0])
                continue
            if change is None:
                done.current += 1
            else:
                changes.append(change)
        for change in _write(changes, done):
            done.twice.append(change[0])
    return done


def _reencrypt_erasures(done: Reencrypted) -> None:
    """Encrypt what is looked for again, unless the erasure has finished meanwhile. There are few of them."""
    for order in Erasure.objects.filter(finished_at=None):
        if isinstance(order.sought, Undecryptable):
            done.undecryptable_erasures.append(str(order.pk))
        elif not is_current(_token_of(order)):
            unfinished = Erasure.objects.filter(pk=order.pk, finished_at=None)
            done.erasures += unfinished.update(sought=order.sought)


def _token_of(order: Erasure) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT sought FROM users_erasure WHERE id = %s", [order.pk])
        token: str = cursor.fetchone()[0]
    return token


def undecryptable() -> Iterator[int]:
    """Yield the ids of all destinations whose address no key decrypts."""
    return (pk for rows in _batches() for pk, _, address, _ in rows if not _is_readable(address))


def sample() -> tuple[int, int]:
    """Return how many of the oldest and newest addresses no key decrypts, and how many were looked at."""
    with connection.cursor() as cursor:
        cursor.execute(_ENDS)
        addresses = [row[1] for row in cursor.fetchall()]
    return sum(not _is_readable(address) for address in addresses), len(addresses)


def _batches() -> Iterator[list[Row]]:
    after = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(_READ, [after, _BATCH])
            rows = cursor.fetchall()
        if not rows:
            return
        yield rows
        after = rows[-1][0]


def _is_readable(token: str) -> bool:
    try:
        decrypt(token)
    except CannotDecrypt:
        return False
    return True


def _change(row: Row) -> Change | None:
    pk, kind, token, digest = row
    address = decrypt(token)
    newest = digests([str(kind), address])[0]
    if is_current(token) and bytes(digest) == newest:
        return None
    return (pk, token, encrypt(address), newest)


def _write(changes: Sequence[Change], done: Reencrypted) -> Iterator[Change]:
    """Write a batch; one by one if that fails. Yield what the table's constraint refuses."""
    if not changes:
        return
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            set_actor(NOBODY)
            cursor.execute(_WRITE, [list(column) for column in zip(*changes, strict=True)])
            done.changed += cursor.rowcount
    except IntegrityError:
        if len(changes) == 1:
            yield changes[0]
            return
        for change in changes:
            yield from _write([change], done)
