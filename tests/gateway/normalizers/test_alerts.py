"""Alertmanager's and Grafana's webhooks: who is told what, once, and what supersedes what."""

import json
from copy import deepcopy

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone

from gateway.codec.limits import InvalidEvent
from gateway.normalizers.alertmanager import ALERTMANAGER
from gateway.normalizers.base import Received, To, Whom
from gateway.normalizers.grafana import GRAFANA
from notifications.events import Content
from notifications.models import Event
from notifications.rendering.render import render
from notifications.states import Channel, EventState, Priority
from tests.gateway.normalizers.posting import Poster, codes, stored
from users.models import Destination

NOW_MS = 1_764_001_000_000
ONCALL = {"to": {"group": "oncall"}}

LATENCY = {
    "status": "firing",
    "labels": {"alertname": "HighLatency", "instance": "web-1", "severity": "critical", "team": "pay"},
    "annotations": {
        "summary": "p99 over 2 s",
        "description": "p99 is 2.310 s",
        "runbook_url": "https://runbooks.example/latency",
    },
    "startsAt": "2025-11-24T16:00:00.123456789Z",
    "endsAt": "0001-01-01T00:00:00Z",
    "generatorURL": "http://prometheus:9090/graph?g0.expr=latency",
    "fingerprint": "5ef77f1f8a3ecf8d",
}
OTHER = LATENCY | {
    "labels": LATENCY["labels"] | {"instance": "web-2"},
    "startsAt": "2025-11-24T16:05:00Z",
    "fingerprint": "0ef77f1f8a3ecf80",
}


def resolved(alert: dict, at: str = "2025-11-24T16:10:00Z") -> dict:
    return alert | {"status": "resolved", "endsAt": at}


def group(*alerts: dict, **changes: object) -> dict:
    """One post of Alertmanager, as its documentation shows it."""
    return {
        "version": "4",
        "groupKey": '{}:{alertname="HighLatency"}',
        "truncatedAlerts": 0,
        "status": "firing" if any(one["status"] == "firing" for one in alerts) else "resolved",
        "receiver": "tocsin",
        "groupLabels": {"alertname": "HighLatency"},
        "commonLabels": {"alertname": "HighLatency"},
        "commonAnnotations": {},
        "externalURL": "https://alerts.example",
        "alerts": deepcopy(list(alerts)),
    } | changes


def read(body: dict, options: dict = ONCALL, form=ALERTMANAGER, now_ms: int = NOW_MS, hosts=()):
    checked = form.check_options(options)
    return form.read(Received(json.dumps(body).encode(), options=checked, now_ms=now_ms, link_hosts=hosts))


def words(draft, locale: str = "en") -> str:
    event = draft.event
    content = Content(
        "e", event["type_name"], Priority.NORMAL, event["timestamp"], event["payload"], "UTC", locale=locale
    )
    message = render(content, Channel.EMAIL, key="k")
    return f"{message.title}\n{message.text}"


def test_a_group_is_one_event_with_what_is_true_of_it_now() -> None:
    [draft] = read(group(LATENCY, OTHER, resolved(OTHER | {"fingerprint": "3"})))
    assert draft.to == To(Whom.GROUP, "oncall")
    event = draft.event
    assert (event["type_name"], event["delivery"]) == ("monitoring.firing", {"priority": "CRITICAL"})
    assert event["timestamp"] == event["version"] == 1_764_000_600_000
    said = words(draft)
    assert said.startswith("HighLatency is firing (2 alerts)\n")
    assert "team=pay" in said
    assert "p99 over 2 s (instance=web-1), since 24 Nov 2025, 16:00:00 UTC" in said
    assert "p99 is 2.310 s" in said
    assert (
        "Resolved: p99 over 2 s, at 24 Nov 2025, 16:10:00 UTC" in said or "Resolved: p99 over 2 s (" in said
    )


def test_one_alert_names_its_labels_and_all_resolved_says_from_when_to_when() -> None:
    [draft] = read(group(resolved(LATENCY)))
    assert (draft.event["type_name"], draft.event["delivery"]["priority"]) == (
        "monitoring.resolved",
        "CRITICAL",
    )
    said = words(draft)
    assert "HighLatency is resolved" in said
    assert "p99 over 2 s (instance=web-1, team=pay), from 24 Nov 2025, 16:00:00 UTC to" in said
    assert "to 24 Nov 2025, 16:10:00 UTC" in said
    assert words(draft, "de").startswith("HighLatency: behoben")
    assert words(draft, "zh").startswith("HighLatency：已恢复")


def test_the_same_state_is_the_same_event_and_a_later_one_supersedes_it() -> None:
    [first] = read(group(LATENCY))
    [again] = read(group(LATENCY | {"annotations": {"summary": "p99 over 3 s"}}))
    assert (first.event_id, first.same) == (again.event_id, again.same)
    [more], [less], [well] = (
        read(group(LATENCY, OTHER)),
        read(group(LATENCY, resolved(OTHER))),
        read(group(resolved(LATENCY, "2025-11-24T16:20:00Z"))),
    )
    events = [one.event for one in (first, more, less, well)]
    assert len({event["collapse_key"] for event in events}) == 1
    versions = [event["version"] for event in events]
    assert versions == sorted(set(versions))
    assert len({one.event_id for one in (first, more, less, well)}) == 4


def test_a_group_that_still_fires_is_told_again_if_that_is_wanted() -> None:
    changed_ms = read(group(LATENCY))[0].event["version"]
    options = ONCALL | {"remind_after_s": 3600}

    def at(after_s: int, *alerts: dict):
        [draft] = read(group(*(alerts or (LATENCY,))), options, now_ms=changed_ms + after_s * 1000)
        return draft

    assert at(0).event_id == at(3599).event_id != at(3600).event_id == at(7199).event_id
    assert at(3600).event["version"] == changed_ms + 3_600_000
    assert at(9000, resolved(LATENCY)).event_id == at(90_000, resolved(LATENCY)).event_id


ROUTES = {
    "routes": [
        {"match": {"team": ["pay", "shop"], "severity": "critical"}, "to": {"group": "pay-oncall"}},
        {"match": {"instance": "web-*"}, "to": [{"user_id": "ann"}, {"topic": "web"}], "priority": "NORMAL"},
    ],
    "critical": ["sev1"],
}


def test_labels_and_routes_say_for_whom() -> None:
    cases = [
        ({}, [To(Whom.GROUP, "pay-oncall")]),
        ({"team": "x"}, [To(Whom.USER, "ann"), To(Whom.TOPIC, "web")]),
        ({"tocsin_user": "bob"}, [To(Whom.USER, "bob")]),
    ]
    for labels, wanted in cases:
        alert = LATENCY | {"labels": LATENCY["labels"] | labels}
        assert [one.to for one in read(group(alert), ROUTES)] == wanted
    mixed = read(group(LATENCY, OTHER | {"labels": OTHER["labels"] | {"team": "x"}}), ROUTES)
    assert [(one.to.name, len(one.event["payload"]["firing"])) for one in mixed] == [
        ("pay-oncall", 1),
        ("ann", 1),
        ("web", 1),
    ]
    assert {one.event["delivery"]["priority"] for one in mixed} == {"NORMAL"}
    with pytest.raises(InvalidEvent) as refused:
        read(group(LATENCY | {"labels": {"alertname": "x"}}), ROUTES)
    assert refused.value.code == "no_route"


def test_only_links_that_can_be_opened_are_sent_and_the_runbook() -> None:
    [draft] = read(group(LATENCY))
    assert draft.event["content"] == {
        "actions": [{"label": "Runbook", "url": "https://runbooks.example/latency"}]
    }
    [draft] = read(group(LATENCY), hosts=("alerts.example",))
    assert draft.event["content"]["url"] == "https://alerts.example/#/alerts"
    assert [one["label"] for one in draft.event["content"]["actions"]] == ["Runbook", "Silence"]


def test_a_large_group_says_how_many_it_does_not_show() -> None:
    many = [
        LATENCY | {"fingerprint": str(number), "labels": LATENCY["labels"] | {"instance": f"web-{number}"}}
        for number in range(100)
    ]
    [draft] = read(group(*many, truncatedAlerts=7))
    assert (len(draft.event["payload"]["firing"]), draft.event["payload"]["omitted"]) == (8, 99)
    assert "HighLatency is firing (100 alerts)" in words(draft)
    assert "… and 99 more" in words(draft)


# The example of Grafana's documentation, shortened.
GRAFANA_BODY = {
    "receiver": "My Super Webhook",
    "status": "firing",
    "orgId": 1,
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "High memory usage", "team": "blue", "zone": "us-1"},
            "annotations": {
                "description": "The system has high memory usage",
                "runbook_url": "https://myrunbook.com/runbook/1234",
                "summary": "This alert was triggered for zone us-1",
            },
            "startsAt": "2021-10-12T09:51:03.157076+02:00",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "https://play.grafana.org/alerting/1afz29v7z/edit",
            "fingerprint": "c6eadffa33fcdf37",
            "silenceURL": "https://play.grafana.org/alerting/silence/new?alertmanager=grafana",
            "dashboardURL": "",
            "panelURL": "",
            "values": {"B": 44.23943737541908, "C": 1},
        }
    ],
    "groupLabels": {},
    "commonLabels": {"team": "blue"},
    "commonAnnotations": {},
    "externalURL": "https://play.grafana.org/",
    "version": "1",
    "groupKey": "{}:{}",
    "truncatedAlerts": 0,
    "title": "[FIRING:1] (blue)",
    "state": "alerting",
    "message": "**Firing**",
}


def test_grafanas_example() -> None:
    [draft] = read(GRAFANA_BODY, form=GRAFANA, hosts=("play.grafana.org",))
    assert draft.event["timestamp"] == 1_634_025_063_157
    assert draft.event["payload"]["firing"] == [
        {
            "summary": "This alert was triggered for zone us-1",
            "labels": "team=blue, zone=us-1",
            "description": "The system has high memory usage",
            "value": "B=44.23943737541908, C=1",
            "started_at": 1_634_025_063_157,
        }
    ]
    assert draft.event["content"]["url"] == "https://play.grafana.org/alerting/list"
    labels = [one["label"] for one in draft.event["content"]["actions"]]
    assert labels == ["Runbook", "Alert rule", "Silence"]
    assert "Value: B=44.23943737541908, C=1" in words(draft)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"version": "3"}, "version"),
        ({"alerts": []}, "alerts"),
        ({"alerts": [LATENCY | {"status": "pending"}]}, "alerts.status"),
        ({"alerts": [LATENCY | {"startsAt": None}]}, "alerts.startsAt"),
        ({"alerts": [resolved(LATENCY, "0001-01-01T00:00:00Z")]}, "alerts.endsAt"),
        ({"alerts": [LATENCY | {"labels": {"a": 1}}]}, "alerts.labels"),
    ],
)
def test_what_is_no_such_webhook_is_not_guessed(change: dict, field: str) -> None:
    with pytest.raises(InvalidEvent) as refused:
        read(group(LATENCY) | change)
    assert (refused.value.code, refused.value.field) == ("not_understood", field)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"route": []}, "options"),
        ({"routes": [{"match": {}, "to": {}}]}, "routes[0].to"),
        ({"routes": [{"match": {"a": 1}, "to": {"topic": "t"}}]}, "routes[0].match.a"),
        ({"routes": [{"to": {"account": "1"}}]}, "routes[0].to"),
        ({"routes": [{"to": {"topic": "t"}, "priority": "HIGH"}]}, "routes[0].priority"),
        ({"to": {"topic": "t"}, "remind_after_s": 5}, "remind_after_s"),
    ],
)
def test_routes_that_cannot_be_read_are_refused(options: dict, field: str) -> None:
    with pytest.raises(InvalidEvent) as refused:
        ALERTMANAGER.check_options(options)
    assert (refused.value.code, refused.value.field) == ("invalid_options", field)


def test_a_group_on_call_is_told_once_and_all_clear_takes_the_place_of_what_waits(
    daphne, venue, ann, bob
) -> None:
    for one in (ann, bob):
        one.groups.add(Group.objects.get_or_create(name="oncall")[0])
        Destination.objects.create(
            user=one, kind=Channel.EMAIL, address=f"{one}@example.test", verified_at=timezone.now()
        )
    with Poster(daphne, venue, "alertmanager", ONCALL) as poster:
        first = poster.tell(group(LATENCY))
        assert first.status_code == 202
        assert {event.person.external_id for event in stored()} == {"ann", "bob"}
        again = poster.tell(group(LATENCY | {"annotations": {"summary": "now 3 s"}}))
        assert again.status_code == 200
        assert [known for _, _, known in codes(again)] == [True, True]
        assert poster.tell(group(resolved(LATENCY))).status_code == 202
    states = Event.objects.order_by("pk").values_list("event_type", "state")
    assert list(states[:2]) == [("monitoring.firing", EventState.SUPERSEDED)] * 2
    assert [kind for kind, _ in states[2:]] == ["monitoring.resolved"] * 2
