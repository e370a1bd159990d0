"""The backend: `ENGINE = "runtime.postgres"`."""

from typing import Any

import psycopg
from django.db.backends.postgresql import base

from runtime.postgres.connection import Connection


class _Driver:
    """psycopg, but for the class of the connections that it makes."""

    connect = Connection.connect

    def __getattr__(self, name: str) -> Any:
        return getattr(psycopg, name)


class DatabaseWrapper(base.DatabaseWrapper):
    Database = _Driver()  # type: ignore[assignment]
