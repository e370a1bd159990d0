"""What is noted of changes of addresses and preferences: by any statement, and no more than has changed."""

from datetime import UTC, datetime

import pytest

from users.acting import acting
from users.models import Destination, EventGroup, PersonChange, User
from users.people import destinations, preferences
from users.people.destinations import DestinationChange
from users.people.preferences import ChannelWish, MuteWish
from users.people.values import Author, GivenAddress
from users.reencryption import reencrypt

NOW = datetime(2026, 11, 28, tzinfo=UTC)
PERSON = Author("ada")
OPERATOR = Author("olga", may_vouch=True, is_operator=True)


@pytest.fixture
def ada(db) -> User:
    return User.objects.create(external_id="ada", username="ada")


def noted() -> list[tuple[object, ...]]:
    rows = PersonChange.objects.order_by("pk").values_list("surface", "who", "subject", "was", "now")
    return list(rows)


def test_an_address_is_noted_with_who_added_verified_and_disabled_it(ada) -> None:
    added, _ = destinations.add(ada, GivenAddress(3, "ada@example.org"), by=PERSON, now=NOW)
    destinations.change_one(ada, added.pk, DestinationChange(verified=True), by=OPERATOR, now=NOW)
    destinations.change_one(ada, added.pk, DestinationChange(address="b@example.org"), by=PERSON, now=NOW)
    destinations.remove(ada, added.pk, by=PERSON, now=NOW)
    changes = noted()
    assert [change[:3] for change in changes] == [
        ("api", "ada", "address"),
        ("admin", "olga", "address"),
        ("api", "ada", "address"),
        ("api", "ada", "address"),
    ]
    assert (changes[0][3], changes[3][4]) == (None, None)
    assert (changes[1][3]["verified_at"], changes[1][4]["verified_at"] is not None) == (None, True)
    assert changes[2][3]["address"] != changes[2][4]["address"]
    assert "example.org" not in repr(changes)


def test_a_statement_that_says_nothing_of_who_acts_is_tocsins_own(ada) -> None:
    Destination.objects.create(user=ada, kind=3, address="ada@example.org", verified_at=NOW)
    Destination.objects.all().disable("550 no such user", now=NOW)
    assert [change[:2] for change in noted()] == [("tocsin", ""), ("tocsin", "")]
    assert noted()[1][4]["disabled_reason"] == "550 no such user"


def test_only_what_has_changed_is_noted(ada) -> None:
    group = EventGroup.objects.create(name="prices", label="Prices", event_types=["price.*"])
    first = [ChannelWish(2), ChannelWish(3), ChannelWish(3, group=group, enabled=False)]
    with acting(PersonChange.Surface.ADMIN, "olga"):
        preferences.set_channels(ada, first)
        before = len(noted())
        preferences.set_channels(ada, first)
        preferences.set_channels(ada, [*first[:2], ChannelWish(3, group=group)])
    assert before == 3
    removed, added = noted()[3:]
    assert (removed[3]["group"], removed[3]["enabled"], removed[4]) == ("prices", False, None)
    assert (added[3], added[4]["enabled"]) == (None, True)


def test_neither_use_nor_another_key_is_a_change(ada, settings) -> None:
    from cryptography.fernet import Fernet

    Destination.objects.create(user=ada, kind=3, address="ada@example.org", verified_at=NOW)
    PersonChange.objects.all().delete()
    Destination.objects.update(last_inbound_at=NOW)
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode(), *settings.FIELD_ENCRYPTION_KEYS]
    assert reencrypt().changed == 1
    assert noted() == []


def test_a_deleted_person_leaves_no_history(ada) -> None:
    preferences.mute(ada, MuteWish())
    ada.delete()
    assert noted() == []
