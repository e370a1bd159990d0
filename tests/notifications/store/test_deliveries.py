"""What the database refuses of a delivery, independent of the code that writes it."""

import pytest
from django.db import IntegrityError, connection, transaction

from notifications.models import Delivery

CONSTRAINT = "delivery_swept_until_it_ends"


def refused(**columns: object) -> bool:
    try:
        with transaction.atomic():
            Delivery.objects.update(**columns)
    except IntegrityError as error:
        assert CONSTRAINT in str(error)
        return True
    return False


def test_a_delivery_is_visited_by_the_sweep_until_it_ends(desk, ada, chat, now) -> None:
    desk.event(ada, chat)
    assert refused(ring_at=None, ended_at=None)  # open, and never visited
    assert refused(ring_at=now, ended_at=now)  # ended, and still visited
    assert not refused(ring_at=None, ended_at=now)
    assert not refused(ring_at=now, ended_at=None)


@pytest.mark.django_db
def test_the_constraint_also_holds_for_rows_from_before_it() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT convalidated FROM pg_constraint WHERE conname = %s", [CONSTRAINT])
        assert cursor.fetchall() == [(True,)]
