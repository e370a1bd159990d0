"""What may be said after an outage: that nothing was committed, or that this is not known."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

from runtime.postgres.away import DATABASE_AWAY, CommitUnknown


@contextmanager
def commits_noticed() -> Iterator[None]:
    """Replace the error of an outage by `CommitUnknown` if the block has sent a COMMIT before it.

    Any other error of `DATABASE_AWAY` means that the block has committed nothing; a statement outside a
    transaction commits without one, so a block that writes uses transactions.
    """
    before = _commits_sent()
    try:
        yield
    except DATABASE_AWAY as error:
        if _commits_sent() == before:
            raise
        raise CommitUnknown(*error.args) from error


def _commits_sent() -> int:
    sent: int = connection.commits_sent  # type: ignore[attr-defined]
    return sent
