"""Statements on hot paths: bound on the server, with arrays in binary.

The ORM composes a statement again each time, which costs more than Postgres needs to answer it, and Django's
own cursors escape every value into the text. They are not prepared: a plan that is kept may be that of an
empty table, and connection poolers would mix up the names.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection


class _Logged(psycopg.Cursor[tuple[Any, ...]]):
    """Adds its statements to Django's query log, so that query assertions count them."""

    def execute(self, query: Any, params: Any = None, **options: Any) -> "_Logged":
        connection.queries_log.append({"sql": str(query), "time": ""})
        return super().execute(query, params, **options)


@contextmanager
def binary_cursor() -> "Iterator[psycopg.Cursor[tuple[Any, ...]]]":
    """Open a cursor on Django's connection; write `%b` for a value that is sent in binary.

    Raises: Django's database errors, as its own cursors do.
    """
    connection.ensure_connection()
    factory = _Logged if connection.queries_logged else psycopg.Cursor
    with connection.wrap_database_errors, factory(connection.connection) as cursor:
        yield cursor


def array_parameters(columns: Mapping[str, str]) -> str:
    """Return the parameters of an unnest that takes one array for each column, by its SQL type."""
    kinds = columns.values()
    return ", ".join(
        f"%b::text[]::{kind}[]" if kind in {"json", "jsonb"} else f"%b::{kind}[]" for kind in kinds
    )
