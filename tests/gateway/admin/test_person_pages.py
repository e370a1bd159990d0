"""A person's pages in the admin: what operators see there, do there, and what they must not."""

from datetime import UTC, datetime, time, timedelta

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from notifications.states import Channel
from users.models import ChannelPreference, Destination, EventGroup, Hours, Mute, Reactivation, Source, User
from users.people.preferences import DigestWish, digests_of

NOW = datetime.now(UTC)


@pytest.fixture
def client(client, db):
    """The client of an operator with every right."""
    client.force_login(User.objects.create_superuser("olga", external_id="olga", password="x"))
    return client


@pytest.fixture
def ada(db) -> User:
    return User.objects.create(external_id="ada", username="ada", time_zone="Europe/Zurich")


@pytest.fixture
def mailbox(ada) -> Destination:
    return Destination.objects.create(
        user=ada, kind=Channel.EMAIL, address="ada@example.org", verified_at=NOW
    )


@pytest.fixture
def prices(db) -> EventGroup:
    return EventGroup.objects.create(
        name="prices", label="Prices", event_types=["price.*"], may_opt_out_of_piercing=True
    )


def url(tab: str, person: User) -> str:
    return reverse(f"admin:users_user_{tab}", args=[person.pk])


def said(answer) -> str:
    return " ".join(str(one) for one in answer.context["messages"])


def do(client, person: User, verb: str, **fields: object) -> str:
    """Press a button on the addresses; return what the page says then."""
    answer = client.post(url("addresses", person), {"do": verb, **fields}, follow=True)
    assert answer.status_code == 200
    return said(answer)


# --- addresses ------------------------------------------------------------------------------------------
def test_a_test_message_is_sent_and_its_outcome_is_shown(client, ada, mailbox, mailoutbox) -> None:
    assert "E-mail ad•••@example.org" not in do(client, ada, f"test:{mailbox.pk + 1}")
    assert "the provider took the test message" in do(client, ada, f"test:{mailbox.pk}")
    assert [mail.to for mail in mailoutbox] == [["ada@example.org"]]


def test_no_test_is_sent_to_an_address_that_is_not_verified(client, ada, mailbox, mailoutbox) -> None:
    Destination.objects.update(verified_at=None)
    assert "Verify the address first" in do(client, ada, f"test:{mailbox.pk}")
    assert mailoutbox == []


def test_an_operator_adds_verifies_disables_enables_and_removes_an_address(client, ada) -> None:
    assert "is used once it is verified" in do(
        client, ada, "add", kind=3, address="a@example.org", label="work"
    )
    one = ada.destinations.get()
    assert (one.label, one.verified_at, list(one.sources.all())) == ("work", None, [])
    do(client, ada, f"verify:{one.pk}")
    do(client, ada, f"disable:{one.pk}")
    one.refresh_from_db()
    assert one.verified_at is not None
    assert one.disabled_reason == "disabled by olga"
    do(client, ada, f"enable:{one.pk}")
    one.refresh_from_db()
    assert one.disabled_at is None
    assert list(Reactivation.objects.values_list("surface", "who", "count")) == [("admin", "olga", 1)]
    do(client, ada, f"remove:{one.pk}")
    assert not ada.destinations.exists()


def test_an_operator_removes_for_good_what_a_source_brought(client, ada, mailbox) -> None:
    mailbox.sources.add(Source.objects.create(name="shop"))
    do(client, ada, f"remove:{mailbox.pk}")
    assert not ada.destinations.exists()


def test_a_disabled_address_is_not_tried_again(client, ada, mailbox) -> None:
    from notifications.store.destinations import enable_for_recheck

    Destination.objects.update(recheck_at=NOW - timedelta(days=1), rechecks=1)  # it had a trial that worked
    do(client, ada, f"disable:{mailbox.pk}")
    assert enable_for_recheck(now=NOW + timedelta(days=400), limit=10) == 0


def test_the_page_says_why_an_address_is_not_used(client, ada, mailbox) -> None:
    Destination.objects.update(disabled_at=NOW, disabled_reason="550 no such user")
    page = client.get(url("addresses", ada)).content.decode()
    assert "550 no such user" in page
    assert "No address is in use" in page


def test_a_wrong_address_is_refused_beside_its_field(client, ada) -> None:
    answer = client.post(url("addresses", ada), {"do": "add", "kind": 3, "address": "nobody"})
    assert answer.context["form"].errors == {"address": ["Enter a valid email address."]}
    assert not ada.destinations.exists()


@pytest.mark.parametrize("verb", ["test", "code", "verify", "enable", "disable", "remove"])
def test_who_may_only_look_changes_nothing(client, ada, mailbox, verb) -> None:
    viewer = User.objects.create_user("vera", external_id="vera", is_staff=True)
    rights = Permission.objects.filter(codename__in=["view_user", "view_destination"])
    viewer.user_permissions.set(rights)
    client.force_login(viewer)
    page = client.get(url("addresses", ada)).content.decode()
    assert "ada@example.org" in page
    assert "Send test" not in page
    assert client.post(url("addresses", ada), {"do": f"{verb}:{mailbox.pk}"}).status_code == 403
    assert client.get(url("preferences", ada)).status_code == 403


# --- preferences ----------------------------------------------------------------------------------------
def form_of(client, person: User, query: str = "") -> dict[str, object]:
    """Return what a browser would send if nothing was changed."""
    shown = client.get(url("preferences", person) + query).context
    fields = {"type": shown["types"]}
    sets = [formset for *_, formset in shown["sections"]]
    for form in [cell for row in shown["rows"] for _, *cells in row.cells for cell in cells]:
        fields[form.html_name] = "" if form.value() is None else form.value()
    for formset in sets:
        for form in [formset.management_form, *formset.forms]:
            for field in form:
                value = field.value()
                if value is not None and value is not False:
                    rendered = field.field.widget.format_value(value) or ""
                    fields[field.html_name] = rendered if not isinstance(value, list) else value
    fields["groups"] = [one.pk for one in shown["opt_outs"].initial["groups"]]
    return fields


def save(client, person: User, **fields: object) -> str:
    answer = client.post(url("preferences", person), fields, follow=True)
    assert answer.redirect_chain, answer.content.decode()
    return said(answer)


def stored(person: User) -> set[tuple[object, ...]]:
    rows = person.channel_preferences.values_list(
        "event_type", "group__name", "channel", "position", "enabled", "min_priority"
    )
    return set(rows)


def test_the_matrix_sets_the_order_what_is_off_and_from_which_priority_on(client, ada, prices) -> None:
    form = form_of(client, ada)
    form |= {"use-every-2": "1", "from-every-2": "2", "use-every-3": "0", f"use-g{prices.pk}-2": "off"}
    save(client, ada, **form)
    assert stored(ada) == {
        ("", None, 3, 0, True, 0),
        ("", None, 2, 1, True, 2),
        ("", "prices", 2, 3, False, 0),
    }
    rows = client.get(url("preferences", ada)).context["rows"]
    assert [row.in_effect for row in rows] == [
        "WEB, then EMAIL, then TELEGRAM (from CRITICAL)",
        "WEB, then EMAIL",
    ]


def test_a_row_for_a_type_that_nobody_uses_has_a_warning(client, ada) -> None:
    page = client.get(url("preferences", ada), {"type": "ORDER_FILED"})
    assert "Did you mean ORDER_FILLED?" in page.content.decode()
    form = form_of(client, ada, "?type=ORDER_FILED") | {"use-tORDER_FILED-2": "off"}
    assert "Did you mean ORDER_FILLED?" in save(client, ada, **form)
    assert stored(ada) == {("ORDER_FILED", None, 2, 3, False, 0)}


def test_what_is_not_changed_stays(client, ada, prices) -> None:
    ChannelPreference.objects.create(user=ada, channel=3, position=17, group=prices, min_priority=1)
    Mute.objects.create(user=ada, event_type="price.low", until=NOW + timedelta(days=1))
    Hours.objects.create(user=ada, kind="quiet", weekdays=[0, 6], starts="22:00", ends="07:00")
    before = (stored(ada), list(ada.mutes.values_list("pk")), list(ada.hours.values_list("pk")))
    save(client, ada, **form_of(client, ada))
    assert (stored(ada), list(ada.mutes.values_list("pk")), list(ada.hours.values_list("pk"))) == before


def test_mutes_hours_throttles_and_opt_outs_are_set(client, ada, prices) -> None:
    form = form_of(client, ada) | {
        "mutes-0-scope": "prices",
        "hours-0-kind": "quiet",
        "hours-0-weekdays": ["0", "6"],
        "hours-0-starts": "22:00",
        "hours-0-ends": "07:00",
        "throttles-0-scope": "type",
        "throttles-0-event_type": "price.low",
        "throttles-0-at_most": "3",
        "throttles-0-per_s": "60",
        "groups": [prices.pk],
    }
    save(client, ada, **form)
    assert [str(one) for one in ada.mutes.all()] == ["prices until it is lifted"]
    assert [(str(one), one.weekdays) for one in ada.hours.all()] == [("quiet hours 22:00 to 07:00", [0, 6])]
    assert [str(one) for one in ada.throttles.all()] == ["price.low: 3 per 60 s"]
    assert [str(one) for one in ada.piercing_opt_outs.all()] == ["prices"]
    save(client, ada, **form_of(client, ada) | {"mutes-0-DELETE": "on", "groups": []})
    assert not ada.mutes.exists()
    assert not ada.piercing_opt_outs.exists()
    assert ada.hours.exists()


def test_an_empty_row_chooses_nothing_by_itself(client, ada) -> None:
    for *_, formset in client.get(url("preferences", ada)).context["sections"]:
        choices = [field.field.choices for field in formset.forms[-1] if str(field).startswith("<select")]
        assert [next(iter(some))[0] for some in choices] == [""] * len(choices)


def test_digests_are_set_for_a_group_and_a_type(client, ada, prices) -> None:
    form = form_of(client, ada) | {
        "digests-0-scope": "prices",
        "digests-0-channel": "2",
        "digests-0-mode": "schedule",
        "digests-0-times": "08:00, 18:30",
        "digests-0-weekdays": ["0", "4"],
    }
    save(client, ada, **form)
    form = form_of(client, ada) | {
        "digests-1-scope": "type",
        "digests-1-event_type": "price.low",
        "digests-1-channel": "3",
        "digests-1-mode": "interval",
        "digests-1-period_s": "900",
    }
    save(client, ada, **form)
    first, second = digests_of(ada)
    assert {first, second} == {
        DigestWish(2, "schedule", group=prices, times=(time(8), time(18, 30)), weekdays=(0, 4)),
        DigestWish(3, "interval", "price.low", period_s=900),
    }
    before = set(ada.digests.values_list("pk"))
    save(client, ada, **form_of(client, ada))
    assert set(ada.digests.values_list("pk")) == before
    save(client, ada, **form_of(client, ada) | {"digests-0-DELETE": "on", "digests-1-DELETE": "on"})
    assert not ada.digests.exists()


DIGEST = {"digests-0-scope": "every", "digests-0-channel": "2"}


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        (DIGEST | {"digests-0-mode": "schedule"}, "Name a time of day."),
        (DIGEST | {"digests-0-mode": "interval"}, "Give a period."),
        (DIGEST | {"digests-0-scope": "", "digests-0-mode": "off"}, "This field is required."),
        ({"mutes-0-scope": "type"}, "name the type, or neither"),
        ({"mutes-0-scope": "every", "mutes-0-until": "2020-01-01T00:00"}, "Name a time to come."),
        ({"mutes-0-scope": "prices"}, "is mandatory"),
        (
            {"hours-0-kind": "quiet", "hours-0-starts": "22:00", "hours-0-ends": "07:00"},
            "This field is required",
        ),
    ],
)
def test_what_breaks_a_rule_is_refused_and_nothing_is_saved(client, ada, prices, fields, error) -> None:
    EventGroup.objects.update(mandatory=True)
    form = form_of(client, ada) | {"use-every-3": "0"} | fields
    answer = client.post(url("preferences", ada), form)
    assert error in answer.content.decode()
    assert stored(ada) == set()


# --- events ---------------------------------------------------------------------------------------------
def test_nobody_without_a_right_opens_the_pages(client, ada) -> None:
    client.force_login(User.objects.create_user("sam", external_id="sam", is_staff=True))
    for tab in ("addresses", "preferences", "events"):
        assert client.get(url(tab, ada)).status_code == 403
    client.logout()
    assert client.get(url("events", ada)).status_code == 302
