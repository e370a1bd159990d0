"""Addresses at rest, the check of addresses, and the constraints of the tables."""

from io import StringIO

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from notifications.states import Channel
from users.encryption import CannotDecrypt, decrypt, digests, encrypt
from users.models import ChannelPreference, Destination, User, validate_time_zone

TELEGRAM, EMAIL = Channel.TELEGRAM, Channel.EMAIL
OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


@pytest.fixture
def ada(db):
    return User.objects.create(external_id="ada", username="ada")


def add(person, address="ada@example.org", kind=EMAIL, **fields):
    return Destination.objects.create(user=person, kind=kind, address=address, **fields)


def raw_rows():
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM users_destination")
        return cursor.fetchall()


def test_an_address_is_read_as_written_and_not_readable_in_the_table(ada) -> None:
    add(ada)
    assert Destination.objects.get().address == "ada@example.org"
    stored = repr([[bytes(v) if isinstance(v, memoryview) else v for v in row] for row in raw_rows()])
    assert "gAAAA" in stored
    assert not any(part in stored for part in ("ada@", "example.org"))


def test_the_same_address_is_never_stored_as_the_same_text() -> None:
    assert encrypt("ada@example.org") != encrypt("ada@example.org")


def test_after_a_rotation_old_addresses_are_read_and_new_ones_use_the_new_key(ada, settings) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [OLD]
    destination = add(ada)
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    assert Destination.objects.get().address == "ada@example.org"
    destination.save()
    settings.FIELD_ENCRYPTION_KEYS = [NEW]
    assert Destination.objects.get().address == "ada@example.org"


def test_without_the_old_key_an_address_cannot_be_read(settings) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [OLD]
    token = encrypt("ada@example.org")
    settings.FIELD_ENCRYPTION_KEYS = [NEW]
    with pytest.raises(CannotDecrypt, match="FIELD_ENCRYPTION_KEYS"):
        decrypt(token)


@pytest.mark.parametrize("token", ["", "plain@example.org", "jörg@example.org", "gAAAAAB"])
def test_what_is_no_encrypted_text_cannot_be_decrypted(token) -> None:
    with pytest.raises(CannotDecrypt):
        decrypt(token)


def test_a_row_that_no_key_decrypts_is_read_saved_unchanged_and_deleted(ada, settings) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [OLD]
    add(ada)
    settings.FIELD_ENCRYPTION_KEYS = [NEW]
    before = raw_rows()
    unreadable = Destination.objects.get()
    assert "example.org" not in unreadable.masked
    unreadable.full_clean()
    unreadable.save()
    assert raw_rows() == before
    unreadable.delete()
    assert not Destination.objects.exists()


def test_there_is_a_digest_for_every_key_the_current_ones_first(settings) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [OLD]
    [before] = digests(["3", "ada@example.org"])
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    after = digests(["3", "ada@example.org"])
    assert (len(after), after[1], after[0] != before, len(before)) == (2, before, True, 32)


def test_a_digest_knows_where_its_parts_end() -> None:
    assert digests(["2", "34"]) != digests(["23", "4"])


def test_the_digest_follows_the_address(ada) -> None:
    destination = add(ada)
    destination.address = "new@example.org"
    destination.save()
    [wanted, *_] = digests([str(int(EMAIL)), "new@example.org"])
    assert bytes(Destination.objects.get().address_digest) == wanted


@pytest.mark.parametrize(
    ("address", "masked"),
    [
        ("demo.person@example.org", "de•••@example.org"),
        ("anna@example.org", "a•••@example.org"),
        ("100200300", "10•••00"),
        ("@channelname", "•••me"),
    ],
)
def test_a_masked_address_hides_its_middle(address, masked) -> None:
    assert Destination(kind=EMAIL, address=address).masked == masked


def test_a_destination_shows_itself_masked(ada) -> None:
    assert str(add(ada, "100200300", TELEGRAM)) == "Telegram 10•••00"


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        (TELEGRAM, "100200300"),
        (TELEGRAM, "-1001234567890"),
        (TELEGRAM, "@tocsin_news"),
        (EMAIL, "a@b.example"),
    ],
)
def test_an_address_of_its_kind_is_taken(kind, address) -> None:
    Destination(kind=kind, address=address).clean()


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        (TELEGRAM, "ada@example.org"),
        (TELEGRAM, "12 34"),
        (TELEGRAM, "@1abc"),
        (TELEGRAM, "100\n"),
        (TELEGRAM, ""),
        (EMAIL, "100200300"),
        (EMAIL, "a@b.example\nBcc: c@d.example"),
        (EMAIL, ""),
    ],
)
def test_an_address_of_another_kind_is_refused(kind, address) -> None:
    with pytest.raises(ValidationError):
        Destination(kind=kind, address=address).clean()


def refused(*made) -> bool:
    try:
        with transaction.atomic():
            for make in made:
                make()
    except IntegrityError:
        return True
    return False


def test_a_person_has_an_address_once(ada) -> None:
    bob = User.objects.create(external_id="bob", username="bob")
    add(ada)
    assert refused(lambda: add(ada))
    assert not refused(lambda: add(bob), lambda: add(ada, "other@example.org"))


def test_a_disabled_destination_has_a_reason(ada) -> None:
    assert refused(lambda: add(ada, disabled_at=timezone.now()))
    assert not refused(lambda: add(ada, disabled_at=timezone.now(), disabled_reason="bounced"))


def test_a_person_has_one_preference_for_a_channel_and_type(ada) -> None:
    def prefer(event_type):
        return lambda: ChannelPreference.objects.create(user=ada, event_type=event_type, channel=3)

    assert not refused(prefer(""), prefer("RISK_ALERT"))
    assert refused(prefer(""))


def test_an_external_id_belongs_to_one_person(ada) -> None:
    assert refused(lambda: User.objects.create(external_id="ada", username="other"))


def test_a_time_zone_is_one_that_exists() -> None:
    validate_time_zone("Europe/Zurich")
    with pytest.raises(ValidationError):
        validate_time_zone("Mars/Olympus")


def test_the_demo_has_a_destination_on_two_channels(db) -> None:
    for _ in range(2):
        call_command("seed_demo", password="x", stdout=StringIO())
    assert sorted(Destination.objects.values_list("kind", flat=True)) == [TELEGRAM, EMAIL]
