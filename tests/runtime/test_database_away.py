"""Which errors of a real Postgres count as "away", and which are bugs."""

import pytest
from django.db import InternalError, OperationalError, ProgrammingError, connection, transaction

from runtime.postgres.away import DATABASE_AWAY, NotMigrated, NotWriting
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
    "no right": "DO $$ BEGIN RAISE SQLSTATE '42501'; END $$",
}


REFUSALS = {
    "another state of things": "55006",
    "cannot connect now": "57P03",
    "shut down": "57P01",
    "disk full": "53100",
    "out of memory": "53200",
    "too many connections": "53300",
    "cancelled": "57014",
    "lock not available": "55P03",
    "serialization failure": "40001",
    "deadlock": "40P01",
    "input/output error": "58030",
    "read-only": "25006",
    "an idle transaction was ended": "25P03",
    "a long transaction was ended": "25P04",
}


@pytest.fixture(autouse=True)
def next_test_has_its_own_connection():
    yield
    connection.close()


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


@pytest.mark.parametrize("state", REFUSALS.values(), ids=REFUSALS)
def test_a_server_that_answers_and_refuses_is_away(execute, state: str) -> None:
    with pytest.raises(DATABASE_AWAY) as caught:
        execute(f"DO $$ BEGIN RAISE SQLSTATE '{state}'; END $$")
    assert isinstance(caught.value, OperationalError)


@pytest.mark.parametrize("statement", ["CREATE TABLE made (id int)", "DELETE FROM users_user"])
def test_a_read_only_server_is_away_and_its_connection_is_not_kept(execute, statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
    with pytest.raises(NotWriting), transaction.atomic():
        execute(statement)
    connection.close_if_unusable_or_obsolete()
    User.objects.filter(external_id="nobody").delete()  # by a connection of its own


def test_a_statement_after_a_failed_one_is_a_bug() -> None:
    with transaction.atomic():
        raw = connection.connection
        with pytest.raises(ProgrammingError), connection.cursor() as cursor:
            cursor.execute("SELEC 1")
        connection.needs_rollback = False
        with pytest.raises(InternalError) as caught, connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        assert not isinstance(caught.value, DATABASE_AWAY)
        assert not raw.closed
        connection.set_rollback(True)


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
