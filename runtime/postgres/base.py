"""The backend: `ENGINE = "runtime.postgres"`."""

from types import TracebackType
from typing import Any

import psycopg
from django.db import OperationalError
from django.db.backends.postgresql import base
from django.db.utils import DatabaseErrorWrapper
from django.utils.functional import cached_property
from psycopg import errors

from runtime.postgres.away import NotMigrated, NotWriting
from runtime.postgres.connection import Connection


class _Driver:
    """psycopg, except that it creates our connections."""

    connect = Connection.connect

    def __getattr__(self, name: str) -> Any:
        return getattr(psycopg, name)


_APART: dict[type[BaseException], type[OperationalError]] = {
    errors.UndefinedTable: NotMigrated,
    errors.UndefinedColumn: NotMigrated,
    errors.ReadOnlySqlTransaction: NotWriting,
    errors.IdleInTransactionSessionTimeout: NotWriting,
    errors.TransactionTimeout: NotWriting,
}


class _Errors(DatabaseErrorWrapper):
    """Django's translation of psycopg's errors, with those apart that it calls bugs."""

    wrapper: "DatabaseWrapper"

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        apart = _APART.get(exc_type) if exc_type else None
        if apart and exc_value:
            self.wrapper.errors_occurred = True  # as Django does, so that the connection is checked
            raise apart(*exc_value.args).with_traceback(traceback) from exc_value
        super().__exit__(exc_type, exc_value, traceback)


class DatabaseWrapper(base.DatabaseWrapper):
    Database = _Driver()  # type: ignore[assignment]
    commits_sent = 0  # on this thread, whether or not they were answered

    def _commit(self) -> None:
        if self.connection is not None and not self.connection.closed:
            self.commits_sent += 1
        super()._commit()  # type: ignore[misc]

    @cached_property
    def wrap_database_errors(self) -> _Errors:
        return _Errors(self)
