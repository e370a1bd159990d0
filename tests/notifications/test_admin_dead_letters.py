"""Dead letters in the admin: why, how many, sent once more, and by whom."""

import re

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from notifications.models import Delivery, Event, Replay
from notifications.states import FailureKind, Priority
from users.models import User

LIST = "/admin/notifications/deadletter/"
MATCHING = f"{LIST}replay/"


@pytest.fixture
def operator(db) -> Client:
    User.objects.create_superuser("olga", external_id="olga", password="x")
    client = Client()
    client.force_login(User.objects.get(username="olga"))
    return client


@pytest.fixture
def dead(desk, ada, chat, records):
    """Two dead letters, one of them CRITICAL, and one event that is on its way."""
    for event_id, priority in (("e1", Priority.NORMAL), ("e2", Priority.CRITICAL)):
        event = desk.event(ada, chat, event_id=event_id, priority=priority)
        records.failed(desk.delivery(event), FailureKind.MESSAGE, "too long <b>")
    desk.event(ada, chat, event_id="running")
    return {event.event_id: event for event in Event.objects.all()}


def text(answer) -> str:
    assert answer.status_code == 200, answer.status_code
    return answer.content.decode()


def test_the_list_has_failed_events_with_the_reason_of_each_channel(operator, dead) -> None:
    page = text(operator.get(LIST))
    assert "TELEGRAM: too long &lt;b&gt;" in page
    assert ">e1<" in page
    assert ">running<" not in page


def test_reasons_are_told_where_no_channel_was_usable(operator, desk, ada) -> None:
    from notifications.events import ChannelChoice
    from notifications.ingest import ingest
    from notifications.states import Channel

    channels = (ChannelChoice(Channel.TELEGRAM), ChannelChoice(Channel.PUSH))
    ingest([desk.envelope(ada, channels=channels)], now=desk.now)
    page = text(operator.get(LIST))
    assert "TELEGRAM: no_destination" in page
    assert "PUSH: unsupported" in page


def test_the_selected_ones_are_sent_after_a_look_at_the_count(operator, dead, doorbells) -> None:
    wanted = {"action": "replay_selected", "_selected_action": [dead["e1"].pk]}
    asked = text(operator.post(LIST, wanted))
    assert "1 dead letter will be sent again" in asked
    assert Replay.objects.count() == 0
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', asked.split("<form method")[1]))
    assert operator.post(LIST, fields).url == LIST
    assert list(Delivery.objects.filter(replay=1).values_list("event__event_id", flat=True)) == ["e1"]
    row = Replay.objects.get()
    assert (row.surface, row.who, row.count, row.filter["asked"]) == ("admin", "olga", 1, "selected")
    assert [task for _, task, _ in doorbells.take()] == ["tocsin.deliver"]


def test_all_that_match_the_filter_are_sent(operator, dead, doorbells) -> None:
    page = text(operator.get(LIST, {"priority__exact": "2"}))
    assert f'href="{MATCHING}?priority__exact=2"' in page
    url = f"{MATCHING}?priority__exact=2"
    assert "1 dead letter will" in text(operator.get(url))
    assert operator.post(url, {"confirmed": "yes"}).url == LIST
    assert list(Event.objects.filter(replay_count=1).values_list("event_id", flat=True)) == ["e2"]
    assert Replay.objects.get().filter["asked"] == "matching priority__exact=2"


def test_all_of_them_are_sent_without_a_filter(operator, dead, doorbells) -> None:
    assert "2 dead letters will" in text(operator.get(MATCHING))
    operator.post(MATCHING, {"confirmed": "yes"})
    assert Event.objects.filter(replay_count=1).count() == 2
    answer = operator.post(MATCHING, {"confirmed": "yes"}, follow=True)
    assert "No dead letter matches" in text(answer)
    assert Replay.objects.count() == 1


def test_a_filter_that_is_not_understood_sends_nothing(operator, dead) -> None:
    answer = operator.post(f"{MATCHING}?nonsense=1", {"confirmed": "yes"})
    assert answer.status_code == 302
    assert Replay.objects.count() == 0


def test_what_was_confirmed_late_is_sent_only_by_force(operator, dead, now, doorbells) -> None:
    Event.objects.filter(event_id="e1").update(confirmed_at=now)
    assert "2 in all, marked as possible duplicates" in text(operator.get(MATCHING))
    operator.post(MATCHING, {"confirmed": "yes", "force": "yes"})
    assert Delivery.objects.filter(replay=1, possible_duplicate=True).count() == 2


def test_looking_is_not_replaying(dead, desk) -> None:
    viewer = User.objects.create_user("vera", external_id="vera", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_deadletter"))
    client = Client()
    client.force_login(viewer)
    page = text(client.get(LIST))
    assert "Replay selected" not in page
    assert "Replay all" not in page
    assert client.post(MATCHING, {"confirmed": "yes"}).status_code == 403
    client.post(LIST, {"action": "replay_selected", "_selected_action": [dead["e1"].pk], "confirmed": "yes"})
    assert Replay.objects.count() == 0


def test_the_audit_shows_who_did_what_and_what_came_of_it(operator, dead, doorbells) -> None:
    operator.post(MATCHING, {"confirmed": "yes"})
    Event.objects.filter(event_id="e1").update(state="delivered", final_at=dead["e1"].accepted_at)
    page = text(operator.get("/admin/notifications/replay/"))
    assert "olga" in page
    assert "1 of 2" in page
    row = text(operator.get(f"/admin/notifications/replay/{Replay.objects.get().pk}/change/"))
    assert "matching all" in row


def test_a_dead_letter_shows_its_story(operator, dead) -> None:
    page = text(operator.get(f"{LIST}{dead['e1'].pk}/change/"))
    assert "final ack: ACK_ERROR message" in page
