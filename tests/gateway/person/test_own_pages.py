"""The signed-in person's pages without a browser's help: plain forms, one page a URL."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from gateway.auth.bearer import grant_of
from gateway.codec import events as codec
from gateway.person.shell import PAGES
from notifications.ingest import ingest
from notifications.models import Event
from notifications.states import Channel
from tests.gateway.good_events import event_json
from tests.gateway.web.test_pages import without_inline_code
from users.models import ChannelPreference, Destination, EventGroup, Mute, SignIn, User


@pytest.fixture
def page(ann) -> Client:
    client = Client(headers={"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0 Safari/537.36"})
    client.force_login(ann)
    return client


def html(answer) -> str:
    assert answer.status_code == 200, answer
    return answer.content.decode()


def does(client: Client, path: str, do: str, **fields: object) -> list[tuple[str, str]]:
    """Send a form, and return what the page says then: level and text."""
    answer = client.post(path, {"do": do, **fields}, follow=True)
    assert answer.redirect_chain == [(path, 303)]
    return re.findall(r'data-testid="notice" data-level="(\w+)">(.*?)</p>', html(answer))


@pytest.mark.parametrize("path", [*PAGES.values(), "/inbox/1/"])
def test_every_page_needs_a_sign_in_and_shows_only_ones_own(client: Client, page, ann, bob, path) -> None:
    assert client.get(path).headers["Location"] == f"/login/?next={path}"
    assert client.post(path, {"do": "read"}).headers["Location"] == f"/login/?next={path}"
    Destination.objects.create(user=bob, kind=Channel.EMAIL, address="bob@example.org")
    answer = page.get(path)
    if path != "/inbox/1/":
        assert without_inline_code(html(answer))
        assert "bob@" not in html(answer)
    else:
        assert answer.status_code == 404
    assert "unsafe" not in answer["Content-Security-Policy"] and "no-store" in answer["Cache-Control"]


@pytest.mark.parametrize("path", PAGES.values())
def test_a_form_without_a_token_changes_nothing(ann, path) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(ann)
    assert strict.post(path, {"do": "sign_out_all"}).status_code == 403


def test_an_unknown_action_says_so(page) -> None:
    assert does(page, "/inbox/", "explode") == [("error", "This page is out of date: load it again.")]


# --- inbox ----------------------------------------------------------------------------------------------
@pytest.fixture
def publish(venue, ann):
    def publish_one(**fields: object) -> None:
        [ack] = ingest([codec.from_json(event_json(**fields), grant_of(venue))], now=timezone.now())
        assert ack.code == "no_channel"

    return publish_one


@pytest.fixture
def events(publish) -> None:
    for number, name in enumerate(["ORDER_FILLED", "ORDER_REJECTED", "RISK_ALERT"]):
        publish(event_id=f"e{number}", event_type=name, payload={"symbol": f"COIN{number}"})


def titles(answer) -> list[str]:
    return re.findall(r'data-event-id="(\w+)"', html(answer))


def test_the_inbox_is_marked_filtered_and_searched(page, ann, events) -> None:
    EventGroup.objects.create(name="orders", event_types=["ORDER_*"])
    assert titles(page.get("/inbox/")) == ["e2", "e1", "e0"]
    assert titles(page.get("/inbox/?group=orders")) == ["e1", "e0"]
    assert titles(page.get("/inbox/?text=coin2")) == ["e2"]
    does(page, "/inbox/", "read", seq=3)
    assert titles(page.get("/inbox/?show=unread")) == ["e1", "e0"]
    assert does(page, "/inbox/", "archive", seq=1) == [("success", "Archived.")]
    assert titles(page.get("/inbox/?show=archived")) == ["e0"]
    assert titles(page.get("/inbox/")) == ["e2", "e1"]
    assert does(page, "/inbox/", "read_all", newest=3) == [("success", "1 message marked as read.")]
    assert titles(page.get("/inbox/?show=unread")) == []


def test_the_history_has_no_end(page, ann, publish) -> None:
    for number in range(35):
        publish(event_id=f"n{number}")
    first = page.get("/inbox/")
    link = re.search(r'id="older-link" href="([^"]+)"', html(first))
    second = page.get(f"/inbox/{link[1]}".replace("&amp;", "&"))
    assert titles(first) + titles(second) == [f"n{number}" for number in range(34, -1, -1)]
    assert "older-link" not in html(second)
    assert titles(page.get("/inbox/?count=300")) == titles(first) + titles(second)
    for odd in ("before=x", "before=0", "count=-1", "show=x", "group=x", "before=99999999999999999999"):
        assert titles(page.get(f"/inbox/?{odd}")) == titles(first)


def test_a_story_is_told_to_its_person_alone(page, bob, events) -> None:
    story = html(page.get("/inbox/1/"))
    assert "accepted as seq 1" in story and 'data-final="true"' in story
    other = Client()
    other.force_login(bob)
    assert other.get("/inbox/1/").status_code == 404
    does(other, "/inbox/", "archive", seq=1)
    assert not Event.objects.filter(archived_at__isnull=False).exists()


def test_an_acknowledgement_is_human_evidence(page, publish) -> None:
    publish(event_id="c", delivery={"priority": "CRITICAL"})
    said = does(page, "/inbox/1/", "acknowledge", seq=1)
    assert said == [("success", "Acknowledged: the sender knows that you have it.")]
    assert Event.objects.get().acknowledged_at is not None
    assert does(page, "/inbox/", "acknowledge", seq=9) == [("error", "It is not there any more.")]


def test_reading_on_one_page_is_told_to_the_others(page, open_page, ann, events) -> None:
    other = open_page(ann)
    does(page, "/inbox/", "read", seq=2)
    assert other.receive() == {"type": "event.read", "source": "venue", "event_ids": ["e1"], "seqs": [2]}


# --- settings -------------------------------------------------------------------------------------------
def rows(answer) -> dict[str, list[tuple[str, str]]]:
    found = re.findall(r'data-testid="row" data-of="([^"]*)">(.*?)</li>\s*</ol>', html(answer), re.DOTALL)
    return {of: re.findall(r'data-channel="(\w+)" data-level="(\w+)"', row) for of, row in found}


def test_a_row_of_the_matrix_is_ordered_switched_and_reset(page, ann, events) -> None:
    default = [("WEB", "INFORMATIONAL"), ("TELEGRAM", "INFORMATIONAL"), ("EMAIL", "INFORMATIONAL")]
    assert rows(page.get("/settings/")) == dict.fromkeys(
        ["", "type:ORDER_FILLED", "type:ORDER_REJECTED", "type:RISK_ALERT"], default
    )
    does(page, "/settings/", "row", of="type:ORDER_FILLED", up="EMAIL")
    assert rows(page.get("/settings/"))["type:ORDER_FILLED"] == [default[0], default[2], default[1]]
    does(
        page,
        "/settings/",
        "row",
        of="type:ORDER_FILLED",
        **{"level-TELEGRAM": "off", "level-WEB": "CRITICAL"},
    )
    assert rows(page.get("/settings/"))["type:ORDER_FILLED"] == [
        ("WEB", "CRITICAL"),
        default[2],
        ("TELEGRAM", "off"),
    ]
    assert rows(page.get("/settings/"))[""] == default
    does(page, "/settings/", "reset", of="type:ORDER_FILLED")
    assert not ChannelPreference.objects.exists()


def test_a_row_keeps_what_the_other_rows_have(page, ann) -> None:
    group = EventGroup.objects.create(name="orders", label="Orders", event_types=["ORDER_*"])
    does(page, "/settings/", "row", of="", **{"level-EMAIL": "off"})
    does(page, "/settings/", "row", of="group:orders", up="TELEGRAM")
    shown = rows(page.get("/settings/"))
    assert shown[""][-1] == ("EMAIL", "off")
    assert shown["group:orders"] == [
        ("TELEGRAM", "INFORMATIONAL"),
        ("WEB", "INFORMATIONAL"),
        ("EMAIL", "off"),
    ]
    assert ann.channel_preferences.filter(group=group).count() == 3


@pytest.mark.parametrize("of", ["group:none", "type:", "nonsense:x", "group:\0"])
def test_a_row_that_is_not_there(page, of) -> None:
    [(level, _)] = does(page, "/settings/", "row", of=of)
    assert level == "error" and not ChannelPreference.objects.exists()


def test_a_level_that_does_not_exist_is_refused(page) -> None:
    [(level, _)] = does(page, "/settings/", "row", of="", **{"level-WEB": "LOUD"})
    assert level == "error" and not ChannelPreference.objects.exists()


def test_muting_and_lifting(page, ann) -> None:
    EventGroup.objects.create(name="alarms", event_types=["RISK_ALERT"], mandatory=True)
    ann.time_zone = "Asia/Shanghai"
    ann.save()
    does(page, "/settings/", "snooze", of="type:BALANCE_UPDATED", **{"for": "morning"})
    mute = Mute.objects.get()
    local = mute.until.astimezone(timezone.get_fixed_timezone(480))
    assert (mute.event_type, local.hour, local.minute) == ("BALANCE_UPDATED", 8, 0)
    assert timezone.now() < mute.until <= timezone.now() + timedelta(days=1)
    does(page, "/settings/", "snooze", of="", **{"for": "open"})
    assert Mute.objects.filter(event_type="", until=None).count() == 1
    does(page, "/settings/", "lift", pk=mute.pk)
    assert Mute.objects.count() == 1
    refused = does(page, "/settings/", "snooze", of="group:alarms", **{"for": "1"})
    assert refused == [("error", "These messages are mandatory: they cannot be muted.")]


def test_hours_are_added_and_removed(page, ann) -> None:
    hours = {"kind": "quiet_hours", "weekdays": ["MONDAY", "SUNDAY"], "starts": "22:00", "ends": "07:00"}
    does(page, "/settings/", "add_hours", **hours)
    assert "Monday, Sunday, 22:00–07:00" in html(page.get("/settings/"))
    [(level, _)] = does(page, "/settings/", "add_hours", **hours)
    assert level == "error"
    assert does(page, "/settings/", "add_hours", **hours | {"starts": "25:00"}) == [
        ("error", "Enter times of day, such as 22:00.")
    ]
    does(page, "/settings/", "remove_hours", kind="quiet_hours", key="MONDAY,SUNDAY 22:00 07:00")
    assert not ann.hours.exists()


def test_throttles_and_what_may_wait(page, ann) -> None:
    EventGroup.objects.create(name="prices", event_types=["PRICE_*"], may_opt_out_of_piercing=True)
    does(page, "/settings/", "add_throttle", of="group:prices", at_most="5", per_s="3600")
    does(page, "/settings/", "add_throttle", of="group:prices", at_most="2", per_s="600")
    assert ann.throttles.get().at_most == 2
    does(page, "/settings/", "remove_throttle", event_type="", group="prices")
    assert not ann.throttles.exists()
    does(page, "/settings/", "piercing", not_piercing="prices")
    assert ann.piercing_opt_outs.count() == 1
    does(page, "/settings/", "piercing")
    assert ann.piercing_opt_outs.count() == 0


def test_digests_are_set_and_taken_back(page, ann) -> None:
    EventGroup.objects.create(name="orders", event_types=["ORDER_*"])
    hourly = {"channel": "EMAIL", "of": "group:orders", "how": "INTERVAL-3600"}
    does(page, "/settings/", "add_digest", **hourly)
    does(page, "/settings/", "add_digest", channel="EMAIL", of="", how="SCHEDULE-0", time="08:30")
    shown = html(page.get("/settings/"))
    assert "E-mail, orders: together, every hour" in shown
    assert "E-mail, Everything: together, at 08:30" in shown
    does(page, "/settings/", "add_digest", **hourly | {"how": "REPEATS-3600"})
    assert sorted(ann.digests.values_list("mode", flat=True)) == ["repeats", "schedule"]
    [(level, _)] = does(page, "/settings/", "add_digest", channel="WEB", of="", how="OFF-0")
    assert level == "error"
    does(page, "/settings/", "remove_digest", channel="EMAIL", of="group:orders")
    assert ann.digests.get().mode == "schedule"


def test_a_change_is_noted_as_the_persons(page, ann) -> None:
    does(page, "/settings/", "row", of="", up="EMAIL")
    does(page, "/addresses/", "add", channel="EMAIL", address="a@example.org")
    assert set(ann.changes.values_list("surface", "who")) == {("api", "ann")}


def test_language_and_time_zone_are_the_persons_own(page, ann) -> None:
    answer = page.post(
        "/settings/", {"do": "profile", "locale": "de", "time_zone": "Europe/Zurich"}, follow=True
    )
    assert '<html lang="de">' in html(answer)
    ann.refresh_from_db()
    assert ann.profile_set_by == {"locale": "person", "time_zone": "person"}
    [(level, _)] = does(page, "/settings/", "profile", time_zone="Mars/Olympus")
    assert level == "error"


# --- addresses ------------------------------------------------------------------------------------------
def address(ann, name: str, **fields: object) -> Destination:
    return Destination.objects.create(user=ann, kind=Channel.EMAIL, address=name, **fields)


def shown_addresses(answer) -> list[tuple[str, str]]:
    pattern = r'data-testid="address" data-state="(\w+)">\s*<h3[^>]*>([^<\s]+)'
    return [(name, state) for state, name in re.findall(pattern, html(answer))]


def test_addresses_are_added_ordered_disabled_and_removed(page, ann) -> None:
    does(page, "/addresses/", "add", channel="EMAIL", address="a@example.org")
    does(page, "/addresses/", "add", channel="EMAIL", address="b@example.org", label="work")
    assert does(page, "/addresses/", "add", channel="EMAIL", address="b@example.org") == [
        ("success", "You have this address already.")
    ]
    [(level, _)] = does(page, "/addresses/", "add", channel="EMAIL", address="nonsense")
    assert level == "error"
    assert shown_addresses(page.get("/addresses/")) == [
        ("a@example.org", "unverified"),
        ("b@example.org", "unverified"),
    ]
    b = ann.destinations.get(label="work")
    does(page, "/addresses/", "earlier", pk=b.pk)
    assert [name for name, _ in shown_addresses(page.get("/addresses/"))] == [
        "b@example.org",
        "a@example.org",
    ]
    does(page, "/addresses/", "disable", pk=b.pk)
    assert "You disabled it." in html(page.get("/addresses/"))
    does(page, "/addresses/", "enable", pk=b.pk)
    does(page, "/addresses/", "remove", pk=b.pk)
    assert shown_addresses(page.get("/addresses/")) == [("a@example.org", "unverified")]


def test_a_dead_address_says_why_and_how_to_mend_it(page, ann) -> None:
    now = timezone.now()
    one = address(ann, "a@example.org", verified_at=now, disabled_at=now, disabled_reason="550 no such user")
    shown = html(page.get("/addresses/"))
    assert "550 no such user" in shown and "See that the mailbox exists" in shown
    assert 'data-testid="unreachable"' in shown
    does(page, "/addresses/", "enable", pk=one.pk)
    assert 'data-testid="unreachable"' not in html(page.get("/inbox/"))


def test_nobody_elses_address_is_touched(page, bob) -> None:
    theirs = address(bob, "bob@example.org", verified_at=timezone.now())
    for do in ("send_code", "confirm", "test", "earlier", "enable", "disable", "remove"):
        assert does(page, "/addresses/", do, pk=theirs.pk, code="123456") == [
            ("error", "It is not there any more.")
        ]
    theirs.refresh_from_db()
    assert (theirs.disabled_at, theirs.position, theirs.verified_at is None) == (None, 0, False)


def test_a_person_vouches_for_nothing(page, ann) -> None:
    does(page, "/addresses/", "add", channel="EMAIL", address="a@example.org", verified="true")
    assert ann.destinations.get().verified_at is None
    assert does(page, "/addresses/", "test", pk=ann.destinations.get().pk)[0][0] == "error"


# --- devices and reachability ---------------------------------------------------------------------------
def test_one_browser_is_signed_out_from_another(page, ann) -> None:
    other = Client(headers={"User-Agent": "Mozilla/5.0 (iPhone; CPU iPhone OS) Safari/604"})
    other.force_login(ann)
    other.get("/devices/")
    shown = html(page.get("/devices/"))
    assert (
        "Chrome on Linux" in shown
        and "Safari on iPhone" in shown
        and shown.count('data-testid="sign-in"') == 2
    )
    theirs = SignIn.objects.get(device__contains="iPhone")
    does(page, "/devices/", "sign_out", pk=theirs.pk)
    assert other.get("/devices/").status_code == 302
    assert html(page.get("/devices/")).count('data-testid="sign-in"') == 1
    assert does(page, "/devices/", "sign_out", pk=theirs.pk) == [
        ("error", "This device was signed out already.")
    ]


def test_nobody_signs_somebody_else_out(page, bob) -> None:
    theirs = Client()
    theirs.force_login(bob)
    does(page, "/devices/", "sign_out", pk=SignIn.objects.get(user=bob).pk)
    assert theirs.get("/devices/").status_code == 200


def test_signing_out_everywhere_includes_this_browser(page, ann) -> None:
    assert page.post("/devices/", {"do": "sign_out_all"}).status_code == 303
    assert page.get("/devices/").status_code == 302
    again = Client()
    again.force_login(User.objects.get(pk=ann.pk))
    assert html(again.get("/devices/")).count('data-testid="sign-in"') == 1


def test_reachability_says_what_a_critical_event_would_do(page, ann) -> None:
    shown = html(page.get("/reachability/"))
    assert "It would not reach you" in shown
    address(ann, "a@example.org", verified_at=timezone.now())
    shown = html(page.get("/reachability/"))
    assert re.search(r'data-channel="EMAIL" data-usable="true"', shown)
    assert "a•••@example.org" in shown


def test_a_drill_needs_an_address(page) -> None:
    assert does(page, "/reachability/", "drill") == [
        ("error", "There is no address to try: add and verify one.")
    ]
