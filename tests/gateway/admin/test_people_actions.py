"""Actions for several persons in the admin, and the choice of event types and scopes in its forms."""

from datetime import UTC, datetime

import pytest
from django.urls import reverse

from notifications.states import Channel
from users import keys
from users.models import ApiKey, Destination, EventGroup, Reactivation, Source, User

NOW = datetime.now(UTC)


@pytest.fixture
def client(client, db):
    """The client of an operator with every right."""
    client.force_login(User.objects.create_superuser("olga", external_id="olga", password="x"))
    return client


@pytest.fixture
def two(db) -> list[User]:
    people = [User.objects.create(external_id=name, username=name) for name in ("ada", "bob")]
    for one in people:
        address = f"{one.external_id}@example.org"
        Destination.objects.create(
            user=one, kind=Channel.EMAIL, address=address, disabled_at=NOW, disabled_reason="550"
        )
    return people


def run(client, action: str, people: list[User]):
    data = {"action": action, "_selected_action": [one.pk for one in people]}
    answer = client.post(reverse("admin:users_user_changelist"), data, follow=True)
    assert answer.status_code == 200
    return answer


def test_addresses_of_several_people_are_enabled_with_one_audit_row(client, two) -> None:
    run(client, "enable_addresses", two)
    assert not Destination.objects.filter(disabled_at__isnull=False).exists()
    assert Reactivation.objects.get().count == 2


def test_several_people_are_muted_for_a_day_and_that_is_lifted(client, two) -> None:
    run(client, "mute", two)
    assert [one.mutes.get().until > NOW for one in two] == [True, True]
    run(client, "unmute", two)
    assert [one.mutes.exists() for one in two] == [False, False]


def test_nobody_deactivates_themselves(client, two) -> None:
    run(client, "deactivate", [*two, User.objects.get(username="olga")])
    assert set(User.objects.filter(is_active=True).values_list("username", flat=True)) == {"olga"}
    run(client, "activate", two)
    assert User.objects.filter(is_active=False).count() == 0


def test_an_export_has_what_the_api_exports(client, two) -> None:
    found = run(client, "export", two).json()["people"]
    assert [one["person"]["user_id"] for one in found] == ["ada", "bob"]
    assert found[0]["person"]["addresses"][0]["address"] == "ada@example.org"


@pytest.mark.parametrize("term", ["ad", "Ad", "ada@example.org"])
def test_a_person_is_found_by_a_beginning_or_a_whole_address(client, two, term) -> None:
    User.objects.filter(external_id="ada").update(first_name="Adam")
    found = client.get(reverse("admin:users_user_changelist"), {"q": term}).context["cl"].queryset
    assert [one.external_id for one in found] == ["ada"]


def test_a_sources_types_are_chosen_and_a_misspelled_one_is_named(client, db) -> None:
    source = Source.objects.create(name="exchange", event_types=["ORDER_FILLED"])
    page = reverse("admin:users_source_change", args=[source.pk])
    shown = client.get(page).content.decode()
    assert '<option value="ORDER_FILLED">' in shown
    form = {
        "name": "exchange",
        "max_priority": 2,
        "events_per_day": 0,
        "open_events": 0,
        "event_types": ["ORDER_FILLED", "ORDER_FILED", "", ""],
    }
    answer = client.post(page, form, follow=True)
    source.refresh_from_db()
    assert source.event_types == ["ORDER_FILLED", "ORDER_FILED"]
    assert "Did you mean ORDER_FILLED?" in " ".join(map(str, answer.context["messages"]))


def test_a_groups_patterns_are_kept_and_not_doubted(client, db) -> None:
    form = {"name": "prices", "label": "Prices", "event_types": ["price.*", "price.low"]}
    for prefix in ("defaults", "digests"):
        form |= {f"{prefix}-TOTAL_FORMS": "0", f"{prefix}-INITIAL_FORMS": "0"}
    answer = client.post(reverse("admin:users_eventgroup_add"), form, follow=True)
    assert EventGroup.objects.get().event_types == ["price.*", "price.low"]
    [warning] = [str(one) for one in answer.context["messages"] if one.level_tag == "warning"]
    assert "price.low" in warning


def test_the_scopes_of_a_key_are_choices(client, db) -> None:
    keys.issue(Source.objects.create(name="exchange"), ["publish"])
    key = ApiKey.objects.get()
    page = reverse("admin:users_apikey_change", args=[key.pk])
    empty = {f"{name}_{part}": "" for name in ("expires_at", "revoked_at") for part in (0, 1)}
    client.post(page, {"scopes": ["read", "replay"], "note": "", **empty})
    key.refresh_from_db()
    assert key.scopes == ["read", "replay"]
    refused = client.post(page, {"scopes": ["everything"], "note": "", **empty})
    assert "scopes" in refused.context["adminform"].form.errors
