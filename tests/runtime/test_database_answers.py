"""Nobody waits for ever for Postgres: an answer that does not come is an error, and the connection goes."""

import pytest
from django.db import OperationalError, connection

from runtime.postgres.connection import Connection


@pytest.fixture
def impatient(settings):
    settings.DATABASE_ANSWER_WITHIN_S = 0.2
    yield
    connection.close()


@pytest.mark.django_db(transaction=True)
def test_an_answer_that_takes_too_long_fails_and_the_next_query_has_a_new_connection(impatient) -> None:
    connection.ensure_connection()
    before = connection.connection.info.backend_pid
    assert isinstance(connection.connection, Connection)
    with pytest.raises(OperationalError), connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(2)")
    assert connection.connection.closed
    connection.close()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)
    assert connection.connection.info.backend_pid != before


@pytest.mark.django_db(transaction=True)
def test_without_a_limit_nobody_is_hurried(settings) -> None:
    settings.DATABASE_ANSWER_WITHIN_S = 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(0.3)")
        assert cursor.fetchone() == ("",)
