"""Erasing and exporting a person over the API and in the admin."""

import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from django.core.management import call_command
from django.urls import reverse

from notifications import store
from notifications.events import Envelope, Plan, PlanStep, SourceGrant
from notifications.models import Event
from notifications.states import Channel, Priority
from notifications.store import Acceptance
from tests.gateway.servers import Server
from tests.kit.sign_in import token_for
from users import keys
from users.models import Destination, Erasure, Source, User

pytestmark = pytest.mark.django_db(transaction=True)


def client_of(daphne: Server, token: str) -> httpx.Client:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.Client(base_url=f"{daphne.url}/api/v1", headers=headers, timeout=20, trust_env=False)


@pytest.fixture
def shop(transactional_db: None) -> Source:
    return Source.objects.create(name="shop")


@pytest.fixture
def manager(daphne: Server, shop: Source):
    with client_of(daphne, keys.issue(shop, ["people"])) as client:
        yield client


@pytest.fixture
def alice(shop: Source) -> User:
    """Somebody with an address, a topic and three events."""
    person = User.objects.create(external_id="alice", username="alice", first_name="Alice")
    now = datetime.now(UTC)
    chat = Destination.objects.create(
        user=person, kind=Channel.TELEGRAM, address="100200300", verified_at=now
    )
    person.topic_subscriptions.create(topic="news")
    for number in range(3):
        envelope = Envelope(
            source=SourceGrant(shop.pk, shop.name),
            event_id=f"e{number}",
            user_id="alice",
            event_type="ORDER_FILLED",
            timestamp_ms=1_700_000_000_000,
            priority=Priority.NORMAL,
            payload={"symbol": "BTC"},
            digest=b"d",
        )
        plan = Plan((PlanStep(Channel.TELEGRAM, chat.pk),))
        store.accept([Acceptance(envelope, person.pk, plan, now + timedelta(hours=1), 5_000)], now=now)
    return person


def test_a_source_erases_a_person_and_nobody_has_the_id_afterwards(manager, alice) -> None:
    answer = manager.delete("/users/alice")
    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert (answer.status_code, said["state"], said["reference"][:7]) == (200, "done", "erased-")
    assert manager.get(f"/erasures/{said['erasure']}").json() == said
    order = Erasure.objects.get()
    assert (order.who, order.surface, order.events) == ("shop", "api", 3)
    for user_id in ("alice", said["reference"]):
        assert manager.get(f"/users/{user_id}").status_code == 404
        assert manager.delete(f"/users/{user_id}").status_code == 404
        assert manager.patch(f"/users/{user_id}", json={"active": True}).status_code == 404
    assert manager.get("/users").json()["users"] == []
    assert manager.put("/users/alice", json={}).json()["result"] == "created"
    assert manager.get("/users/alice/export").json()["events"] == []


def test_who_may_not_erase_whom(daphne, manager, alice, shop) -> None:
    def code(answer: httpx.Response) -> tuple[int, str]:
        return answer.status_code, answer.json()["code"]

    with client_of(daphne, token_for("alice")) as her:
        assert code(her.delete("/users/me")) == (403, "missing_scope")
    with client_of(daphne, keys.issue(shop, ["read"])) as reader:
        assert code(reader.delete("/users/alice")) == (403, "missing_scope")
    limited = Source.objects.create(name="limited", people_prefixes=["eu-"])
    with client_of(daphne, keys.issue(limited, ["admin"])) as other:
        assert code(other.delete("/users/alice")) == (403, "forbidden_user")
        assert code(other.get("/users/alice/export")) == (403, "forbidden_user")
    User.objects.filter(pk=alice.pk).update(is_staff=True)
    assert code(manager.delete("/users/alice")) == (403, "forbidden_user")
    assert code(manager.get("/erasures/00000000-0000-4000-8000-000000000000")) == (404, "not_found")


def test_an_export_has_the_person_and_their_events_page_by_page(daphne, manager, alice, capsys) -> None:
    first = manager.get("/users/alice/export", params={"limit": 2}).json()
    assert (first["person"]["name"], first["person"]["username"], first["topics"]) == (
        "Alice",
        "alice",
        ["news"],
    )
    assert first["person"]["addresses"][0]["address"] == "100200300"
    assert first["preferences"]["channels"] == []
    [one, _] = first["events"]
    assert (one["source"], one["seq"], one["payload"], one["marks"]["seen"]) == (
        "shop",
        1,
        {"symbol": "BTC"},
        None,
    )
    assert one["deliveries"][0]["channel"] == "TELEGRAM"
    last = manager.get("/users/alice/export", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    assert ([event["seq"] for event in last["events"]], last["next_cursor"]) == ([3], None)
    with client_of(daphne, token_for("alice")) as her:
        assert her.get("/users/me/export").json()["person"]["user_id"] == "alice"
        assert her.get("/users/bob/export").status_code == 404
    call_command("export_user", "alice")
    written = json.loads(capsys.readouterr().out)
    assert [event["event_id"] for event in written["events"]] == ["e0", "e1", "e2"]


def test_the_admin_asks_before_it_erases(admin_client, alice) -> None:
    url = reverse("admin:users_user_changelist")
    form = {"action": "erase", "_selected_action": [alice.pk]}
    page = admin_client.post(url, form).content.decode()
    assert "1 person and 3 events" in page and not Erasure.objects.exists()
    admin_client.post(url, form | {"confirmed": "yes"})
    order = Erasure.objects.get()
    assert (order.person_id, order.who, order.surface) == (alice.pk, "admin", "admin")
    assert admin_client.get(reverse("admin:users_erasure_changelist")).status_code == 200
    assert Event.objects.filter(person=alice).count() == 3
