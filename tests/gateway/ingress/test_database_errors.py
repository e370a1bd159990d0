"""What a producer hears of an error of Postgres: to come back, or that there is a bug."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection

from tests.gateway.missing_tables import without
from tests.gateway.other_ends import Producer

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def failing_inserts(sqlstate: str) -> Iterator[None]:
    """Every insert of an event fails with this SQLSTATE."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            f" RAISE EXCEPTION 'test' USING ERRCODE = '{sqlstate}'; END $$"
        )
        cursor.execute(
            "CREATE TRIGGER fail BEFORE INSERT ON notifications_event FOR EACH ROW EXECUTE FUNCTION fail()"
        )
        try:
            yield
        finally:
            cursor.execute("DROP FUNCTION fail CASCADE")


def test_a_missing_table_is_answered_with_503(producer: Producer, ann) -> None:
    with without("notifications_event"):
        assert producer.publish().status_code == 503
    assert producer.publish().status_code == 200


@pytest.mark.parametrize(
    ("sqlstate", "status"), [("42601", 500), ("42883", 500), ("42P01", 503), ("42703", 503), ("25006", 503)]
)
def test_only_what_passes_is_answered_with_503(producer: Producer, ann, sqlstate: str, status: int) -> None:
    with failing_inserts(sqlstate):
        assert producer.publish().status_code == status
