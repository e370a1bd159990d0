"""Creating and changing people: what a change does, what it keeps, and two at the same time."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection, transaction

from notifications.states import Channel
from tests.kit.eventually import eventually
from users.models import Destination, Source, User
from users.people.values import Author, Change, Details, GivenAddress, Mode, Outcome, PeopleRule, Result
from users.people.write import apply

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
CHAT = GivenAddress(Channel.TELEGRAM, "100200300", verified=True)
MAIL = GivenAddress(Channel.EMAIL, "alice@example.org")

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop() -> Author:
    return author("shop")


def author(name: str, **rights: object) -> Author:
    return Author(name, Source.objects.create(name=name).pk, **({"may_vouch": True} | rights))


def put(by: Author, external_id: str = "alice", mode: Mode = Mode.PUT, **details: object) -> Outcome:
    [outcome] = apply([Change(external_id, Details(**details), mode, by)], now=NOW)
    return outcome


def alice() -> User:
    return User.objects.get(external_id="alice")


def addresses() -> set[tuple[str, bool]]:
    return {(one.address, one.verified_at is not None) for one in alice().destinations.all()}


def refusal(outcome: Outcome) -> tuple[Result, str, str]:
    assert outcome.rejected is not None
    assert outcome.rejected.detail
    return outcome.result, outcome.rejected.code, outcome.rejected.field


def test_a_put_creates_a_person_who_cannot_sign_in_with_a_password(shop: Author) -> None:
    outcome = put(shop, name="Alice Liddell", locale="de", time_zone="Europe/Zurich", addresses=(CHAT, MAIL))
    person = alice()
    assert outcome == Outcome(Result.CREATED)
    assert (person.get_full_name(), person.locale, person.time_zone) == (
        "Alice Liddell",
        "de",
        "Europe/Zurich",
    )
    assert not person.has_usable_password()
    assert addresses() == {("100200300", True), ("alice@example.org", False)}
    assert person.destinations.get(kind=Channel.TELEGRAM).verified_at == NOW


def test_the_same_put_again_changes_nothing(shop: Author) -> None:
    details = {"name": "Alice", "locale": "de", "groups": ("traders",), "addresses": (CHAT,)}
    put(shop, **details)
    ids = set(Destination.objects.values_list("pk", flat=True))
    assert put(shop, **details) == Outcome(Result.UNCHANGED)
    assert set(Destination.objects.values_list("pk", flat=True)) == ids


def test_a_put_changes_what_it_names_and_keeps_the_rest(shop: Author) -> None:
    put(shop, name="Alice", locale="de", addresses=(CHAT,), groups=("traders",))
    assert put(shop, locale="fr") == Outcome(Result.UPDATED)
    person = alice()
    assert (person.first_name, person.locale) == ("Alice", "fr")
    assert addresses() == {("100200300", True)}
    assert [group.name for group in person.groups.all()] == ["traders"]


def test_somebody_elses_login_may_have_the_name(shop: Author) -> None:
    User.objects.create(username="alice", external_id="a-17")
    assert put(shop).result is Result.CREATED
    assert alice().username.startswith("alice~")


@pytest.mark.parametrize("external_id", ["me", " "])
@pytest.mark.parametrize("mode", [Mode.PUT, Mode.FILL])
def test_nobody_can_be_called_me(shop: Author, external_id: str, mode: Mode) -> None:
    assert refusal(put(shop, external_id, mode))[1:] == ("invalid_user_id", "user_id")
    assert not User.objects.exists()


def test_a_patch_creates_nobody(shop: Author) -> None:
    assert refusal(put(shop, mode=Mode.PATCH, locale="de")) == (Result.REJECTED, "not_found", "user_id")
    assert not User.objects.filter(external_id="alice").exists()


# --- addresses ------------------------------------------------------------------------------------------
def test_a_put_takes_back_the_addresses_that_its_source_brought_and_no_others(shop: Author) -> None:
    put(shop, addresses=(CHAT, MAIL))
    put(author("bank"), addresses=(GivenAddress(Channel.EMAIL, "alice@bank.example"),))
    alice().destinations.create(kind=Channel.TELEGRAM, address="777")
    assert put(shop, addresses=(MAIL,)) == Outcome(Result.UPDATED)
    assert addresses() == {("alice@example.org", False), ("alice@bank.example", False), ("777", False)}


def test_an_address_that_two_sources_brought_goes_with_the_second(shop: Author) -> None:
    bank = author("bank")
    put(shop, addresses=(CHAT,))
    put(bank, addresses=(CHAT,))
    put(shop, addresses=())
    assert addresses() == {("100200300", True)}
    put(bank, addresses=())
    assert addresses() == set()


def test_a_source_that_names_the_persons_own_address_cannot_take_it_back(shop: Author) -> None:
    put(shop)
    alice().destinations.create(kind=Channel.TELEGRAM, address="100200300")
    put(shop, addresses=(CHAT,))
    assert addresses() == {("100200300", True)}
    put(shop, addresses=())
    assert addresses() == {("100200300", True)}


def test_a_patch_adds_addresses_and_removes_none(shop: Author) -> None:
    put(shop, addresses=(CHAT,))
    assert put(shop, mode=Mode.PATCH, addresses=(MAIL,)) == Outcome(Result.UPDATED)
    assert addresses() == {("100200300", True), ("alice@example.org", False)}


def test_naming_an_address_without_vouching_never_unverifies_nor_enables_it(shop: Author) -> None:
    put(shop, addresses=(CHAT,))
    alice().destinations.update(disabled_at=NOW, disabled_reason="the bot was blocked")
    put(shop, addresses=(GivenAddress(Channel.TELEGRAM, "100200300"),))
    assert addresses() == {("100200300", True)}
    assert alice().destinations.get().disabled_reason == "the bot was blocked"


def test_a_source_that_may_not_vouch_is_told_so_and_nothing_is_created() -> None:
    stranger = author("stranger", may_vouch=False)
    answer = refusal(put(stranger, addresses=(CHAT,)))
    assert answer == (Result.REJECTED, "forbidden_verified", "addresses")
    assert not User.objects.filter(external_id="alice").exists()


def test_a_person_has_at_most_twenty_addresses(shop: Author) -> None:
    many = tuple(GivenAddress(Channel.TELEGRAM, str(number)) for number in range(20))
    assert put(shop, addresses=many).result is Result.CREATED
    answer = refusal(put(shop, mode=Mode.PATCH, name="Alice", addresses=(MAIL,)))
    assert answer == (Result.REJECTED, "too_many_addresses", "addresses")
    assert alice().first_name == ""
    assert put(shop, addresses=(MAIL,)).result is Result.UPDATED


# --- just in time ---------------------------------------------------------------------------------------
def test_filling_creates_a_person_and_then_only_adds_what_is_not_known(shop: Author) -> None:
    fill = Mode.FILL
    assert put(shop, mode=fill, locale="de", addresses=(CHAT,)).result is Result.CREATED
    later = put(shop, mode=fill, name="Alice", locale="fr", time_zone="Europe/Paris", addresses=(MAIL,))
    assert later == Outcome(Result.UPDATED)
    person = alice()
    assert (person.get_full_name(), person.locale, person.time_zone) == ("Alice", "de", "Europe/Paris")
    assert addresses() == {("100200300", True), ("alice@example.org", False)}
    assert put(shop, mode=fill, name="Bob", time_zone="UTC").result is Result.UNCHANGED


def test_filling_keeps_a_default_that_somebody_set(shop: Author) -> None:
    put(shop, time_zone="UTC")
    assert put(shop, mode=Mode.FILL, time_zone="Asia/Tokyo").result is Result.UNCHANGED
    assert alice().time_zone == "UTC"


def test_filling_changes_nothing_of_a_disabled_person(shop: Author) -> None:
    put(shop, active=False)
    assert put(shop, mode=Mode.FILL, name="Alice", addresses=(CHAT,)).result is Result.UNCHANGED
    assert addresses() == set()


def test_what_the_person_chose_is_kept_and_its_source_told(shop: Author) -> None:
    put(shop, locale="en")
    put(Author("alice"), mode=Mode.PATCH, locale="zh-Hans")
    outcome = put(shop, locale="de", time_zone="Europe/Zurich")
    assert [(one.code, one.field) for one in outcome.warnings] == [("kept", "locale")]
    assert (alice().locale, alice().time_zone) == ("zh-Hans", "Europe/Zurich")


# --- many, and at once ----------------------------------------------------------------------------------
def test_one_bad_change_does_not_stop_the_others(shop: Author) -> None:
    changes = [
        Change("alice", Details(addresses=(CHAT,)), Mode.PUT, shop),
        Change("nobody", Details(name="?"), Mode.PATCH, shop),
        Change("bob", Details(name="Bob"), Mode.PUT, shop),
        Change("alice", Details(name="Alice"), Mode.PUT, shop),
    ]
    results = [outcome.result for outcome in apply(changes, now=NOW)]
    assert results == [Result.CREATED, Result.REJECTED, Result.CREATED, Result.UPDATED]
    assert alice().first_name == "Alice"
    assert addresses() == {("100200300", True)}


def test_a_thousand_people_take_few_statements(shop: Author, django_assert_max_num_queries) -> None:
    changes = [
        Change(f"u{n}", Details(addresses=(GivenAddress(Channel.TELEGRAM, str(n), True),)), Mode.PUT, shop)
        for n in range(1_000)
    ]
    with django_assert_max_num_queries(40):
        outcomes = apply(changes, now=NOW)
    assert {outcome.result for outcome in outcomes} == {Result.CREATED}
    assert Destination.objects.filter(sources=shop.source_id).count() == 1_000


@pytest.mark.django_db(transaction=True)
def test_the_same_put_ten_times_at_once_creates_one_person(shop: Author) -> None:
    def one() -> Outcome:
        return put(shop, name="Alice", addresses=(CHAT, MAIL), groups=("traders",))

    with ThreadPoolExecutor(10) as threads:
        outcomes = list(threads.map(in_thread, [one] * 10))
    assert sorted(outcome.result for outcome in outcomes) == [Result.CREATED] + [Result.UNCHANGED] * 9
    assert addresses() == {("100200300", True), ("alice@example.org", False)}
    assert Destination.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_an_address_that_somebody_adds_at_the_same_moment_without_the_lock_is_found(shop: Author) -> None:
    put(shop)
    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            alice().destinations.create(kind=Channel.EMAIL, address="alice@example.org")
            waiting = threads.submit(in_thread, lambda: put(shop, addresses=(MAIL,)))
            eventually(somebody_waits)
        assert waiting.result(10).result is Result.UNCHANGED
    assert Destination.objects.count() == 1


def in_thread(call: Callable[[], Outcome]) -> Outcome:
    try:
        return call()
    finally:
        connection.close()


def somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return cursor.fetchone()[0] > 0


# --- rights ---------------------------------------------------------------------------------------------
def test_a_source_manages_only_whom_its_rule_allows() -> None:
    eu = author("eu", rule=PeopleRule(prefixes=("eu-",), groups=("traders",)))
    assert put(eu, "eu-1").result is Result.CREATED
    assert refusal(put(eu, "us-1")) == (Result.REJECTED, "forbidden_user", "user_id")
    assert put(eu, "us-1", groups=("traders",)).result is Result.CREATED
    assert put(eu, "us-1", name="Uma").result is Result.UPDATED
    User.objects.create(username="us-2", external_id="us-2")
    assert refusal(put(eu, "us-2", groups=("traders",)))[1] == "forbidden_user"
    assert refusal(put(eu, "eu-1", groups=("admins",)))[1] == "forbidden_group"


def test_groups_are_replaced_but_for_those_of_the_admin(shop: Author) -> None:
    put(shop, groups=("traders", "vip"))
    operators = Group.objects.create(name="operators")
    operators.permissions.add(Permission.objects.first())
    alice().groups.add(operators)
    assert put(shop, groups=("vip", "eu")).result is Result.UPDATED
    assert {group.name for group in alice().groups.all()} == {"operators", "vip", "eu"}
    assert refusal(put(shop, "bob", groups=("operators",)))[1:] == ("forbidden_group", "groups")
    assert put(shop, groups=()).result is Result.UPDATED
    assert {group.name for group in alice().groups.all()} == {"operators"}


def test_an_account_of_the_admin_is_not_deactivated_by_a_source(shop: Author) -> None:
    User.objects.create(username="root", external_id="root", is_staff=True)
    assert refusal(put(shop, "root", active=False)) == (Result.REJECTED, "forbidden_user", "active")
    assert put(shop, active=False).result is Result.CREATED
    assert put(shop, active=True).result is Result.UPDATED
    assert alice().is_active
