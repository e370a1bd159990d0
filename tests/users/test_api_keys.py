"""API keys: shown once, stored as a digest, and good for nothing once they are revoked."""

from datetime import UTC, datetime, timedelta

import pytest

from users import keys
from users.models import ApiKey, Source

NOW = datetime(2025, 11, 20, 15, 0, tzinfo=UTC)


@pytest.fixture
def source(db):
    return Source.objects.create(
        name="exchange", event_types=["ORDER_FILLED"], max_priority=1, topic_prefixes=["market."]
    )


@pytest.fixture
def key(source):
    return keys.issue(source, ["publish", "read"], note="the matching engine")


@pytest.fixture
def used_key(key):
    """A key whose use was written a moment ago."""
    keys.authenticate(key, now=NOW)
    return key


def test_a_key_that_was_issued_is_found_with_its_source(source, used_key, django_assert_num_queries) -> None:
    with django_assert_num_queries(1):
        found = keys.authenticate(used_key, now=NOW)
    assert (found.source_id, found.source_name, found.scopes) == (source.pk, "exchange", ["publish", "read"])
    assert (found.event_types, found.max_priority, found.topic_prefixes) == (["ORDER_FILLED"], 1, ["market."])


def test_many_keys_are_found_with_one_query(source, django_assert_num_queries) -> None:
    issued = [keys.issue(source, ["publish"]) for _ in range(3)]
    wrong = issued[0][:-1] + ("A" if issued[0][-1] != "A" else "B")
    keys.authenticate_all(issued, now=NOW)
    with django_assert_num_queries(1):
        found = keys.authenticate_all([*issued, wrong, "no key"], now=NOW)
    assert set(found) == set(issued)


def test_the_secret_is_not_in_the_database(key) -> None:
    _, prefix, secret = key.split("_", 2)
    row = ApiKey.objects.values().get()
    assert row["prefix"] == prefix
    assert secret not in repr(row) and len(bytes(row["secret_digest"])) == 32


def test_no_two_keys_are_alike(source) -> None:
    assert len({keys.issue(source, []) for _ in range(20)}) == 20


def test_a_wrong_secret_is_refused(key) -> None:
    wrong = key[:-1] + ("A" if key[-1] != "A" else "B")
    assert keys.authenticate(wrong, now=NOW) is None


def test_the_secret_of_another_key_is_refused(source, key) -> None:
    other = keys.issue(source, ["admin"])
    assert keys.authenticate(key[:15] + other[15:], now=NOW) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda key: "",
        lambda key: key.upper(),
        lambda key: f" {key}",
        lambda key: f"{key}\n",
        lambda key: f"{key}A",
        lambda key: key[:-1],
        lambda key: key.replace("tsn_", "tsx_"),
        lambda key: key[:-1] + "é",
        lambda key: key[:-1] + "\0",
    ],
)
def test_what_is_not_of_the_form_of_a_key_is_refused_without_a_query(
    key, change, django_assert_num_queries
) -> None:
    with django_assert_num_queries(0):
        assert keys.authenticate(change(key), now=NOW) is None


def test_a_revoked_key_is_refused(key) -> None:
    ApiKey.objects.update(revoked_at=NOW)
    assert keys.authenticate(key, now=NOW) is None


def test_a_key_is_good_until_it_expires(source) -> None:
    key = keys.issue(source, [], expires_at=NOW)
    assert keys.authenticate(key, now=NOW - timedelta(seconds=1)) is not None
    assert keys.authenticate(key, now=NOW) is None


def test_the_keys_of_a_disabled_source_are_refused(source, key) -> None:
    source.enabled = False
    source.save()
    assert keys.authenticate(key, now=NOW) is None


def test_a_key_is_shown_without_its_secret(key) -> None:
    assert str(ApiKey.objects.get()) == f"{key[:15]}…"


def last_used() -> object:
    return ApiKey.objects.get().last_used_at


def test_the_use_of_a_key_is_written_every_five_minutes_at_most(key, django_assert_num_queries) -> None:
    assert last_used() is None
    keys.authenticate(key, now=NOW)
    assert last_used() == NOW
    with django_assert_num_queries(1):
        keys.authenticate(key, now=NOW + timedelta(minutes=5))
    keys.authenticate(key, now=NOW + timedelta(minutes=6))
    assert last_used() == NOW + timedelta(minutes=6)


def test_a_wrong_secret_is_no_use_of_the_key(key) -> None:
    keys.authenticate(key[:-1] + ("A" if key[-1] != "A" else "B"), now=NOW)
    assert last_used() is None


def test_a_rotation_leaves_two_good_keys_and_then_one(source, key) -> None:
    ApiKey.objects.update(created_at=NOW)
    successor = keys.rotate(key.split("_")[1], overlap=timedelta(hours=1), now=NOW)
    during, after = NOW + timedelta(minutes=59), NOW + timedelta(hours=1)
    assert set(keys.authenticate_all([key, successor], now=during)) == {key, successor}
    assert set(keys.authenticate_all([key, successor], now=after)) == {successor}
    made = ApiKey.objects.latest("pk")
    assert (made.source, made.scopes, made.note) == (source, ["publish", "read"], "the matching engine")
    assert made.expires_at is None


def test_a_successor_lives_as_long_as_the_key_did_and_a_rotation_lengthens_none(source) -> None:
    key = keys.issue(source, ["read"], expires_at=NOW + timedelta(days=90))
    ApiKey.objects.update(created_at=NOW)
    rotated_at = NOW + timedelta(days=90, minutes=-10)
    keys.rotate(key.split("_")[1], now=rotated_at)
    old, new = ApiKey.objects.order_by("pk")
    assert old.expires_at == NOW + timedelta(days=90)
    assert new.expires_at == rotated_at + timedelta(days=90)


@pytest.mark.parametrize("change", [{"revoked_at": NOW}, {"expires_at": NOW}])
def test_a_key_that_has_ended_has_no_successor(key, change) -> None:
    ApiKey.objects.update(**change)
    with pytest.raises(keys.NotLive):
        keys.rotate(key.split("_")[1], now=NOW)
    assert ApiKey.objects.count() == 1
