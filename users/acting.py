"""Who makes the changes of a transaction, for the rows in `PersonChange`."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

NOBODY = "nobody"  # what is not noted: the same values in another form


@contextmanager
def acting(surface: str, who: str = "") -> Iterator[None]:
    """Run the block in a transaction whose changes are theirs. Without it, they are Tocsin's own."""
    with transaction.atomic():
        set_actor(surface, who)
        yield


def set_actor(surface: str, who: str = "") -> None:
    """Say who acts until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('tocsin.actor', %s, true)", [f"{surface}:{who[:200]}"])
