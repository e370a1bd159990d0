"""Keys of addresses: rotation, and finding a key that was dropped too early."""

from io import StringIO

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.utils import timezone

from notifications.states import Channel
from users import checks
from users.encryption import is_current
from users.models import Destination, Erasure, User
from users.people.erasing import Operator, begin, sought

OLD, NEW, LOST = (Fernet.generate_key().decode() for _ in range(3))


@pytest.fixture
def ada(db):
    return User.objects.create(external_id="ada", username="ada")


@pytest.fixture
def add(ada, settings):
    """Add mailboxes that were encrypted with this key."""

    def add(key: str, *names: str) -> None:
        settings.FIELD_ENCRYPTION_KEYS = [key]
        for name in names:
            Destination.objects.create(user=ada, kind=Channel.EMAIL, address=f"{name}@example.org")

    return add


def run(command: str) -> str:
    out = StringIO()
    call_command(command, stdout=out)
    return out.getvalue()


def tokens() -> list[str]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT address FROM users_destination ORDER BY id")
        return [row[0] for row in cursor.fetchall()]


def test_all_addresses_move_to_the_newest_key_once(add, settings) -> None:
    add(OLD, *(f"a{number}" for number in range(501)))  # more than one batch
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    assert "501 addresses encrypted again, 0 were current" in run("reencrypt")
    settings.FIELD_ENCRYPTION_KEYS = [NEW]
    assert all(map(is_current, tokens()))
    moved = Destination.objects.first()
    digest = bytes(moved.address_digest)
    moved.set_address(moved.address)
    assert moved.address == "a0@example.org" and bytes(moved.address_digest) == digest
    before = tokens()
    assert "0 addresses encrypted again, 501 were current" in run("reencrypt")
    assert tokens() == before


def test_what_unfinished_erasures_look_for_moves_too(add, settings, ada) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [OLD]
    order = begin(ada.pk, by=Operator(Erasure.Surface.COMMAND, "root"), now=timezone.now())
    looked_for = sought(order)
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    assert "1 unfinished erasures encrypted again" in run("reencrypt")
    assert "erasures" not in run("reencrypt")
    settings.FIELD_ENCRYPTION_KEYS = [NEW]
    assert sought(Erasure.objects.get()) == looked_for != []


def test_an_erasure_that_no_key_decrypts_is_named(add, settings, ada) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [LOST]
    order = begin(ada.pk, by=Operator(Erasure.Surface.COMMAND, "root"), now=timezone.now())
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    with pytest.raises(CommandError, match=str(order.pk)):
        run("reencrypt")


def test_rows_that_cannot_move_are_named_and_keep_no_other_back(add, settings) -> None:
    add(OLD, "one", "twice")
    add(LOST, "lost")
    add(NEW, "twice")
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    second, lost = Destination.objects.order_by("pk").values_list("pk", flat=True)[1:3]
    out = StringIO()
    with pytest.raises(CommandError, match=f"destinations {lost}$"):
        call_command("reencrypt", stdout=out)
    assert "1 addresses encrypted again, 1 were current" in out.getvalue()
    assert f"twice: {second}" in out.getvalue()
    assert [is_current(token) for token in tokens()] == [True, False, False, True]


def found_at_start() -> list[str]:
    return [message.id for message in checks.addresses_can_be_decrypted()]


def test_a_dropped_key_stops_the_start_and_names_the_remedy(add, settings) -> None:
    add(OLD, "one", "two")
    add(NEW, "three")
    assert found_at_start() == ["tocsin.E120"]
    [error] = checks.addresses_can_be_decrypted()
    assert "2 of 3" in error.msg and "reencrypt" in error.hint and "example" not in str(error)
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    assert found_at_start() == []


def test_a_damaged_row_among_many_only_warns(add, settings) -> None:
    add(LOST, "lost")
    add(NEW, *(f"a{number}" for number in range(30)))
    assert found_at_start() == ["tocsin.W120"]


@pytest.mark.parametrize("keys", [["short"], [NEW, ""], ["ü" * 44], [NEW, NEW[:-4]]])
def test_a_malformed_key_is_found_at_the_start(add, settings, keys) -> None:
    add(NEW, "one")
    settings.FIELD_ENCRYPTION_KEYS = keys
    assert [error.id for error in checks.keys_are_keys()] == ["tocsin.E007"]
    assert found_at_start() == []


def test_the_doctor_finds_one_address_between_many(add, settings) -> None:
    add(NEW, *(f"a{number}" for number in range(301)))
    add(LOST, "lost")
    add(NEW, *(f"b{number}" for number in range(301)))
    assert found_at_start() == []
    lost = Destination.objects.order_by("pk")[301].pk
    out = StringIO()
    with pytest.raises(CommandError):
        call_command("doctor", stdout=out)
    assert f"No key decrypts the addresses of destinations {lost}\n" in out.getvalue()


def test_the_doctor_also_runs_the_checks_of_production(db, settings) -> None:
    settings.FIELD_ENCRYPTION_KEYS, settings.ALLOWED_HOSTS = [], ["*"]
    out = StringIO()
    with pytest.raises(CommandError):
        call_command("doctor", stdout=out)
    assert "FIELD_ENCRYPTION_KEYS is empty" in out.getvalue() and "ALLOWED_HOSTS" in out.getvalue()
