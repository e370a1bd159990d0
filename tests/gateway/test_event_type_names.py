"""The admin warns of the name of an event type that no event has, and saves it all the same."""

import pytest
from django.contrib.messages import get_messages
from django.urls import reverse

from notifications.models import Event
from tests.gateway.good_events import event_json
from tests.gateway.other_ends import Producer
from users.models import ChannelPreference, Source


@pytest.fixture
def client(client, django_user_model):
    operator = django_user_model.objects.create_superuser("operator", external_id="operator", password="x")
    client.force_login(operator)
    return client


def warnings_of(answer) -> list[str]:
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    return [str(note) for note in get_messages(answer.wsgi_request) if note.level_tag == "warning"]


def add_preference(client, person, event_type: str) -> list[str]:
    form = {"user": person.pk, "event_type": event_type, "channel": 3, "position": 0, "enabled": "on"}
    form["min_priority"] = 0
    found = warnings_of(client.post(reverse("admin:users_channelpreference_add"), form))
    assert ChannelPreference.objects.get().event_type == event_type
    return found


@pytest.mark.parametrize(
    ("event_type", "said"),
    [
        ("ORDER_FILED", "Did you mean ORDER_FILLED?"),
        ("order_filled", "Did you mean ORDER_FILLED?"),
        ("Order Filled", "a type of a producer's own is in lower case"),
        ("norm.swap_demnd", "none of the newest 10,000 events"),
    ],
)
def test_a_preference_that_never_matches_is_saved_with_a_warning(
    client, ann, event_type: str, said: str
) -> None:
    [text] = add_preference(client, ann, event_type)
    assert said in text
    assert event_type in text


@pytest.mark.parametrize("event_type", ["", "ORDER_FILLED", "norm.swap_demand"])
def test_a_preference_for_a_type_that_exists_is_saved_without_one(
    client, ann, venue, event_type: str
) -> None:
    venue.event_types = ["norm.swap_demand"]
    venue.save()
    assert add_preference(client, ann, event_type) == []


def test_a_type_of_a_stored_event_exists(client, ann, producer: Producer) -> None:
    producer.post("/events", json=event_json(event_type=..., type_name="norm.swap_demand"))
    assert Event.objects.get().event_type == "norm.swap_demand"
    assert add_preference(client, ann, "norm.swap_demand") == []


def test_the_types_of_a_source_are_looked_at_too(client, db) -> None:
    form = {
        "name": "desk",
        "enabled": "on",
        "max_priority": 2,
        "events_per_day": 0,
        "open_events": 0,
        "event_types": "ORDER_FILLED,ORDER_FILED",
    }
    [text] = warnings_of(client.post(reverse("admin:users_source_add"), form))
    assert "ORDER_FILED" in text
    assert Source.objects.get(name="desk").event_types == ["ORDER_FILLED", "ORDER_FILED"]
