"""Which errors of a real Postgres count as "away", and which are bugs."""

import pytest
from django.db import ProgrammingError, connection, transaction

from runtime.postgres.away import DATABASE_AWAY, NotMigrated
from runtime.postgres.cursor import binary_cursor
from users.models import User

pytestmark = pytest.mark.django_db(transaction=True)

NOT_MIGRATED = {
    "a table is missing": "SELECT 1 FROM no_such_table",
    "a column is missing": "SELECT no_such_column FROM users_user",
}
BUGS = {
    "syntax": "SELEC 1",
    "no such function": "SELECT no_such_function()",
    "an ambiguous column": "SELECT id FROM users_user a, users_user b",
    "wrong types": "SELECT 1 FROM users_user WHERE id = 'x'::text",
}


@pytest.fixture(params=["Django's cursor", "our cursor"])
def execute(request):
    def execute(statement: str) -> None:
        with connection.cursor() if request.param == "Django's cursor" else binary_cursor() as cursor:
            cursor.execute(statement)

    return execute


@pytest.mark.parametrize("statement", NOT_MIGRATED.values(), ids=NOT_MIGRATED)
def test_what_is_not_migrated_counts_as_away(execute, statement: str) -> None:
    with pytest.raises(DATABASE_AWAY) as caught:
        execute(statement)
    assert caught.type is NotMigrated
    assert isinstance(caught.value, ProgrammingError)
    assert "does not exist" in str(caught.value)
    assert connection.errors_occurred


@pytest.mark.parametrize("statement", BUGS.values(), ids=BUGS)
def test_a_bug_in_a_statement_does_not(execute, statement: str) -> None:
    with pytest.raises(ProgrammingError) as caught:
        execute(statement)
    assert not isinstance(caught.value, DATABASE_AWAY)


def test_the_orm_reports_a_missing_column_alike() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE users_user RENAME COLUMN external_id TO renamed")
    try:
        with pytest.raises(NotMigrated), transaction.atomic():
            User.objects.filter(external_id="ann").exists()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE users_user RENAME COLUMN renamed TO external_id")
