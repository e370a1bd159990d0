"""The backend: `ENGINE = "runtime.postgres"`."""

from types import TracebackType
from typing import Any

import psycopg
from django.db.backends.postgresql import base
from django.db.utils import DatabaseErrorWrapper
from django.utils.functional import cached_property
from psycopg.errors import UndefinedColumn, UndefinedTable

from runtime.postgres.away import NotMigrated
from runtime.postgres.connection import Connection


class _Driver:
    """psycopg, except that it creates our connections."""

    connect = Connection.connect

    def __getattr__(self, name: str) -> Any:
        return getattr(psycopg, name)


class _Errors(DatabaseErrorWrapper):
    """Django's translation of psycopg's errors, with `NotMigrated` apart from other programming errors."""

    wrapper: "DatabaseWrapper"

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(exc_value, UndefinedTable | UndefinedColumn):
            self.wrapper.errors_occurred = True  # as Django does, so that the connection is checked
            raise NotMigrated(*exc_value.args).with_traceback(traceback) from exc_value
        super().__exit__(exc_type, exc_value, traceback)


class DatabaseWrapper(base.DatabaseWrapper):
    Database = _Driver()  # type: ignore[assignment]

    @cached_property
    def wrap_database_errors(self) -> _Errors:
        return _Errors(self)
