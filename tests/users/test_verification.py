"""Codes and links that verify an address: good once, for a while, and only so many of them."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from users import verification
from users.models import Destination, User, Verification
from users.people import destinations
from users.people.destinations import DestinationChange
from users.people.tokens import Refusal, TooMany
from users.people.values import Author, Rejected
from users.verification import Started, WrongCode

NOW = datetime(2026, 11, 28, 9, 0, tzinfo=UTC)
EMAIL = 3
MINUTE = timedelta(minutes=1)


def person_of(name: str) -> User:
    return User.objects.create_user(name, external_id=name)


def mailbox_of(person: User, address: str = "box@example.org") -> Destination:
    return Destination.objects.create(user=person, kind=EMAIL, address=address)


@pytest.fixture
def eve(db) -> User:
    return person_of("eve")


@pytest.fixture
def mailbox(eve) -> Destination:
    return mailbox_of(eve)


def start(one: Destination, now: datetime = NOW) -> Started:
    return verification.start(one.user, one.pk, now=now)


def confirm(one: Destination, code: str, now: datetime = NOW) -> Destination:
    return verification.confirm(one.user, one.pk, code, now=now)


def another(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06}"


def refused(one: Destination, code: str, now: datetime = NOW) -> str:
    with pytest.raises(Rejected) as caught:
        confirm(one, code, now)
    return caught.value.remark.code


def is_verified(one: Destination) -> bool:
    return Destination.objects.get(pk=one.pk).verified_at is not None


def test_the_code_verifies_the_address_once(mailbox) -> None:
    code = start(mailbox).code
    assert (len(code), code.isdigit()) == (6, True)
    assert confirm(mailbox, f" {code[:3]} {code[3:]}", NOW + MINUTE).verified_at == NOW + MINUTE
    assert is_verified(mailbox)
    assert refused(mailbox, code) == "already_verified"


def test_nothing_that_could_be_sent_again_is_stored(mailbox) -> None:
    started = start(mailbox)
    with connection.cursor() as cursor:
        cursor.execute("SELECT users_verification::text FROM users_verification")
        [(row,)] = cursor.fetchall()
    secrets = (started.code.encode(), started.token.encode())
    assert not any(secret.hex() in row or secret.decode() in row.split(",") for secret in secrets)
    assert "box@example.org" not in row


@pytest.mark.parametrize(
    ("after", "works"), [(timedelta(minutes=14, seconds=59), True), (15 * MINUTE, False)]
)
def test_both_are_good_for_a_quarter_of_an_hour(mailbox, after, works) -> None:
    started = start(mailbox)
    _, refusal = verification.look_up(started.token, now=NOW + after)
    assert refusal == (None if works else Refusal.EXPIRED)
    if works:
        assert confirm(mailbox, started.code, NOW + after).verified_at
    else:
        assert refused(mailbox, started.code, NOW + after) == "code_expired"


def test_without_a_code_there_is_nothing_to_enter(mailbox) -> None:
    assert refused(mailbox, "123456") == "code_expired"


def test_the_fifth_wrong_try_ends_the_code_and_its_link(mailbox) -> None:
    started = start(mailbox)
    left = []
    for _ in range(5):
        with pytest.raises(WrongCode) as caught:
            confirm(mailbox, another(started.code))
        left.append(caught.value.tries_left)
    assert left == [4, 3, 2, 1, 0]
    assert refused(mailbox, started.code) == "code_expired"
    assert verification.confirm_link(started.token, now=NOW) is Refusal.USED
    assert not is_verified(mailbox)


def test_a_new_code_replaces_the_one_before(mailbox) -> None:
    first = start(mailbox)
    second = start(mailbox, NOW + MINUTE)
    assert verification.confirm_link(first.token, now=NOW + MINUTE) is Refusal.USED
    assert verification.confirm_link(second.token, now=NOW + MINUTE) is None
    assert is_verified(mailbox)


# --- the link -------------------------------------------------------------------------------------------
def test_looking_at_the_link_changes_nothing_and_it_is_good_once(mailbox) -> None:
    token = start(mailbox).token
    for _ in range(3):
        found, refusal = verification.look_up(token, now=NOW)
        assert (found.destination, refusal) == (mailbox, None)
    assert not is_verified(mailbox)
    assert verification.confirm_link(token, now=NOW) is None
    assert verification.confirm_link(token, now=NOW) is Refusal.USED
    assert verification.confirm_link(token[:-1] + "!", now=NOW) is Refusal.UNKNOWN


def change(one: Destination) -> None:
    by = Author("shop", 1)
    destinations.change_one(one.user, one.pk, DestinationChange(address="new@example.org"), by=by, now=NOW)


@pytest.mark.parametrize(
    "void",
    [
        change,
        lambda one: one.delete(),
        lambda one: one.user.delete(),
        lambda one: User.objects.filter(pk=one.user_id).update(is_active=False),
    ],
    ids=["changed", "removed", "erased", "disabled"],
)
def test_a_link_is_void_once_its_address_or_person_is_gone(mailbox, void) -> None:
    token = start(mailbox).token
    void(mailbox)
    assert verification.confirm_link(token, now=NOW) is Refusal.UNKNOWN
    assert not Destination.objects.filter(verified_at__isnull=False).exists()


def test_a_code_for_another_address_is_worth_nothing(mailbox) -> None:
    code = start(mailbox).code
    change(mailbox)
    assert refused(mailbox, code) == "code_expired"


def test_a_new_key_leaves_what_was_sent_valid(mailbox, settings) -> None:
    from cryptography.fernet import Fernet

    started = start(mailbox)
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode(), *settings.FIELD_ENCRYPTION_KEYS]
    assert confirm(mailbox, started.code).verified_at == NOW


# --- limits ---------------------------------------------------------------------------------------------
def wait_of(one: Destination, now: datetime) -> int:
    with pytest.raises(TooMany) as caught:
        start(one, now)
    return caught.value.retry_after_s


def test_an_address_gets_three_in_a_quarter_of_an_hour_and_ten_a_day(mailbox) -> None:
    for index in range(3):
        start(mailbox, NOW + index * MINUTE)
    assert wait_of(mailbox, NOW + 3 * MINUTE) == 12 * 60
    start(mailbox, NOW + 15 * MINUTE)
    for hour in range(1, 7):
        start(mailbox, NOW + timedelta(hours=hour))
    assert wait_of(mailbox, NOW + timedelta(hours=8)) == 16 * 3600


def test_adding_it_again_or_to_somebody_else_gives_no_more(mailbox, eve) -> None:
    start(mailbox)
    mailbox.delete()
    start(mailbox_of(eve))
    theirs = mailbox_of(person_of("mallory"))
    start(theirs)
    assert wait_of(theirs, NOW) == 15 * 60


def test_a_person_gets_six_for_all_their_addresses(eve) -> None:
    for number in range(6):
        start(mailbox_of(eve, f"{number}@example.org"))
    assert wait_of(mailbox_of(eve, "last@example.org"), NOW) == 15 * 60
    start(mailbox_of(person_of("bob"), "last@example.org"))


def test_one_that_was_not_sent_does_not_count(mailbox) -> None:
    for _ in range(5):
        verification.withdraw(start(mailbox).pk)
    assert start(mailbox)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"verified_at": NOW}, "already_verified"),
        ({"disabled_at": NOW, "disabled_reason": "bounced"}, "cannot_verify"),
    ],
)
def test_what_needs_no_code_or_must_not_have_one(mailbox, fields, code) -> None:
    Destination.objects.filter(pk=mailbox.pk).update(**fields)
    with pytest.raises(Rejected) as caught:
        start(mailbox)
    assert caught.value.remark.code == code


def test_rows_are_kept_while_a_limit_counts_them(mailbox) -> None:
    start(mailbox)
    assert verification.forget_expired(now=NOW + timedelta(days=1)) == 0
    assert verification.forget_expired(now=NOW + timedelta(days=1, seconds=1)) == 1


# --- at once --------------------------------------------------------------------------------------------
def together(*calls) -> list:
    """Run the calls at once, each on a connection of its own. Return results and errors."""

    def run(call):
        try:
            return call()
        except (Rejected, TooMany, WrongCode) as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, calls))


@pytest.mark.django_db(transaction=True)
def test_wrong_tries_at_once_all_count() -> None:
    mailbox = mailbox_of(person_of("eve"))
    wrong = another(start(mailbox).code)
    errors = together(*[lambda: confirm(mailbox, wrong)] * 4)
    assert sorted(error.tries_left for error in errors) == [1, 2, 3, 4]
    assert Verification.objects.get().wrong_tries == 4


@pytest.mark.django_db(transaction=True)
def test_code_and_link_at_once_verify_once() -> None:
    mailbox = mailbox_of(person_of("eve"))
    started = start(mailbox)
    results = together(
        lambda: confirm(mailbox, started.code), lambda: verification.confirm_link(started.token, now=NOW)
    )
    done = [isinstance(one, Destination) or one is None for one in results]
    assert done.count(True) == 1
    assert is_verified(mailbox)


@pytest.mark.django_db(transaction=True)
def test_starts_at_once_for_one_address_keep_its_limit() -> None:
    boxes = [mailbox_of(person_of(f"p{number}")) for number in range(6)]
    results = together(*[lambda box=box: start(box) for box in boxes])
    assert sum(isinstance(one, Started) for one in results) == 3
