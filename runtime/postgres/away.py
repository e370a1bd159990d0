"""Which errors mean that Postgres is away."""

from django.db import InterfaceError, InternalError, OperationalError, ProgrammingError
from psycopg_pool import PoolTimeout

# Postgres is away, read-only, not migrated yet, or too busy to lend a connection: nothing was accepted,
# everything may be sent again. Data that it refuses is not among them: sent again, it is refused again.
DATABASE_AWAY = (OperationalError, InternalError, ProgrammingError, InterfaceError, PoolTimeout)
