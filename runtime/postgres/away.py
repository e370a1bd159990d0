"""Which errors mean that Postgres cannot serve now."""

from django.db import InterfaceError, InternalError, OperationalError, ProgrammingError
from psycopg_pool import PoolTimeout


class NotMigrated(OperationalError, ProgrammingError):
    """A table or column does not exist (SQLSTATE 42P01, 42703): its migration has not run yet.

    Raised by this package's backend. Every other `ProgrammingError` is a bug, which repeating does not mend.
    """


class NotWriting(OperationalError, InternalError):
    """The server answers and refuses to write (25006), or ended our idle transaction (25P03, 25P04).

    Raised by this package's backend. Every other `InternalError` is a bug or damaged data.
    """


class CommitUnknown(OperationalError):
    """Postgres went away after a COMMIT had been sent: what it was to make durable may be, or may not."""


# Postgres is away, full, read-only, not migrated or has no free connection: nothing was accepted, and all
# may be sent again. Errors of the data or the statement are not among them: sent again, they fail again.
DATABASE_AWAY = (OperationalError, InterfaceError, PoolTimeout)
