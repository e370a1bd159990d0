"""Undoing an incident: what it disabled is enabled again, after a look, and somebody is on record for it."""

import getpass
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from notifications.states import Channel
from users.models import Destination, Reactivation, User

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
REFUSED = "the mail server refuses the recipient: 550"
PAGE = "/admin/users/destination/incident/"
TIMES = ("--from", "2026-11-28T12:00Z", "--to", "2026-11-28T13:00Z")


@pytest.fixture
def mailboxes(db) -> dict[str, Destination]:
    """Five that are disabled, by name; only `first` and `last` by the incident."""
    person = User.objects.create(external_id="ada", username="ada")
    disabled = {
        "before": (NOON - timedelta(microseconds=1), REFUSED),
        "first": (NOON, REFUSED),
        "last": (NOON + timedelta(hours=1, microseconds=-1), f"{REFUSED} 5.1.1"),
        "after": (NOON + timedelta(hours=1), REFUSED),
        "by_hand": (NOON + timedelta(minutes=1), "asked for it"),
    }
    return {
        name: Destination.objects.create(
            user=person,
            kind=Channel.EMAIL,
            address=f"{name}@example.org",
            disabled_at=at,
            disabled_reason=reason,
            recheck_at=at + timedelta(days=1),
            rechecks=2,
        )
        for name, (at, reason) in disabled.items()
    }


def enabled() -> set[str]:
    found = Destination.objects.filter(disabled_at__isnull=True)
    return {destination.address.partition("@")[0] for destination in found}


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("enable_destinations", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_enables_what_was_disabled_then_for_this_reason(mailboxes) -> None:
    said = run(*TIMES, "--reason", "recipient: 550", "--yes")
    assert enabled() == {"first", "last"}
    assert f"1  {REFUSED}\n" in said and f"1  {REFUSED} 5.1.1\n" in said and "2 enabled again" in said
    one = Destination.objects.get(pk=mailboxes["first"].pk)
    assert (one.disabled_reason, one.recheck_at, one.rechecks) == ("", None, 0)
    row = Reactivation.objects.get()
    assert (row.surface, row.who, row.count) == ("command", getpass.getuser(), 2)
    assert (row.reason, row.disabled_since, row.disabled_until) == (
        "recipient: 550", NOON, NOON + timedelta(hours=1),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("options", "refused"),
    [
        (["--reason", REFUSED, "--dry-run"], False),
        (["--dry-run"], False),
        ([], True),  # which reason?
        (["--yes"], True),
        (["--reason", " ", "--yes"], True),
        (["--reason", REFUSED, "--channel", "PIGEON", "--yes"], True),
        (["--reason", REFUSED, "--channel", "telegram", "--yes"], False),
        (["--reason", "100%", "--yes"], False),
    ],
)
def test_the_command_changes_nothing_without_a_reason_and_a_yes(mailboxes, options, refused) -> None:
    if refused:
        with pytest.raises(CommandError):
            run(*TIMES, *options)
    else:
        run(*TIMES, *options)
    assert enabled() == set()
    assert not Reactivation.objects.exists()


@pytest.fixture
def operator(db) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("olga", external_id="olga", password="x"))
    return client


def form(reason: str, **more: str) -> dict[str, str]:
    times = {"since_0": "2026-11-28", "since_1": "12:00:00", "until_0": "2026-11-28", "until_1": "13:00:00"}
    return times | {"reason": reason, "kind": ""} | more


def test_the_admin_shows_what_it_would_enable_and_then_does(operator, mailboxes) -> None:
    assert PAGE in operator.get(reverse("admin:users_destination_changelist")).content.decode()
    assert operator.get(PAGE).status_code == 200
    shown = operator.post(PAGE, form(REFUSED)).content.decode()
    assert "2 destinations disabled then" in shown and "Enable 2" in shown
    assert enabled() == set()
    assert operator.post(PAGE, form(REFUSED, confirmed="yes")).status_code == 302
    assert enabled() == {"first", "last"}
    row = Reactivation.objects.get()
    assert (row.surface, row.who, row.count, row.reason) == ("admin", "olga", 2, REFUSED)
    audit = operator.get(reverse("admin:users_reactivation_changelist")).content.decode()
    assert "olga" in audit and REFUSED in audit


def test_the_admin_lists_the_reasons_and_enables_nothing_without_one(operator, mailboxes) -> None:
    shown = operator.post(PAGE, form("", confirmed="yes")).content.decode()
    assert "asked for it" in shown and REFUSED in shown and "Enable" not in shown.split("<form")[-1]
    assert enabled() == set()


def test_who_may_not_change_destinations_undoes_nothing(db, mailboxes) -> None:
    clerk = User.objects.create_user("clerk", external_id="clerk", is_staff=True)
    client = Client()
    client.force_login(clerk)
    assert client.post(PAGE, form(REFUSED, confirmed="yes")).status_code == 403
    assert enabled() == set()


def test_chosen_destinations_are_enabled_on_record_too(operator, mailboxes) -> None:
    data = {"action": "enable", "_selected_action": [mailboxes["by_hand"].pk]}
    operator.post(reverse("admin:users_destination_changelist"), data)
    assert enabled() == {"by_hand"}
    row = Reactivation.objects.get()
    assert (row.who, row.count, row.reason, row.disabled_since) == ("olga", 1, "", None)


def test_a_record_cannot_be_changed_or_deleted(operator, mailboxes) -> None:
    run(*TIMES, "--reason", REFUSED, "--yes")
    for view in ("change", "delete"):
        url = reverse(f"admin:users_reactivation_{view}", args=[Reactivation.objects.get().pk])
        assert operator.post(url, {"post": "yes"}).status_code == 403


@pytest.mark.parametrize("reason", ["asked for it", REFUSED])
def test_what_an_operator_decides_is_not_tried_again(operator, mailboxes, reason) -> None:
    mailbox = mailboxes["first"]
    values = {
        "user": mailbox.user_id, "kind": int(Channel.EMAIL), "address": mailbox.address, "label": "desk",
        "verified_at_0": "", "verified_at_1": "", "disabled_at_0": "2026-11-28", "disabled_at_1": "12:00:00",
        "disabled_reason": reason,
    }  # fmt: skip
    url = reverse("admin:users_destination_change", args=[mailbox.pk])
    assert operator.post(url, values).status_code == 302
    mailbox.refresh_from_db()
    assert mailbox.label == "desk"
    assert (mailbox.recheck_at is None) == (reason != REFUSED)
