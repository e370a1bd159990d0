"""`/users/{id}/preferences`: the order of channels and those that are off, and that routing obeys them."""

import pytest

from gateway.auth.bearer import grant_of
from gateway.codec import events
from notifications.routing.plan import plan_for
from runtime.postgres import clock
from tests.gateway.api.test_profiles import CHAT, MAIL, client_of, refusal
from tests.gateway.good_events import event_json
from tests.gateway.servers import Server
from tests.kit.sign_in import token_for
from users import keys
from users.models import Source

WISHES = {
    "channels": [
        {"channel": "EMAIL", "event_type": "", "enabled": True},
        {"channel": "TELEGRAM", "event_type": "", "enabled": True},
        {"channel": "EMAIL", "event_type": "ORDER_FILLED", "enabled": False},
    ]
}


@pytest.fixture
def shop(transactional_db: None) -> Source:
    return Source.objects.create(name="shop", may_vouch=True)


@pytest.fixture
def manager(daphne: Server, shop: Source):
    with client_of(daphne, keys.issue(shop, ["people"])) as client:
        client.put("/users/alice", json={"addresses": [CHAT, {**MAIL, "verified": True}]})
        yield client


def planned(shop: Source, event_type: str) -> list[str]:
    body = event_json(user_id="alice", event_type=event_type, delivery={"priority": "CRITICAL"})
    [plan] = plan_for([events.from_json(body, grant_of(shop))], now=clock.now())
    assert plan is not None
    return [step.channel.name for step in plan.plan.steps]


def test_a_put_replaces_the_section_and_routing_obeys(manager, shop: Source) -> None:
    assert manager.get("/users/alice/preferences").json() == {"channels": []}
    for _ in range(2):
        assert manager.put("/users/alice/preferences", json=WISHES).json() == WISHES
    assert planned(shop, "RISK_ALERT") == ["EMAIL", "TELEGRAM"]
    assert planned(shop, "ORDER_FILLED") == ["TELEGRAM"]
    assert manager.put("/users/alice/preferences", json={}).json() == WISHES
    assert manager.put("/users/alice/preferences", json={"channels": []}).json() == {"channels": []}


def test_a_person_sets_their_own(daphne: Server, manager) -> None:
    with client_of(daphne, token_for("alice")) as alice:
        assert alice.put("/users/me/preferences", json=WISHES).json() == WISHES
        assert refusal(alice.get("/users/bob/preferences"))[:2] == (404, "not_found")
    assert manager.get("/users/alice/preferences").json() == WISHES


INVALID = {
    "an unknown section": ({"colour": []}, "unknown_field", "colour"),
    "no list": ({"channels": {}}, "invalid_preferences", "channels"),
    "an unknown channel": ({"channels": [{"channel": "FAX"}]}, "unknown_value", "channels[0].channel"),
    "an unknown type": (
        {"channels": [{"channel": "WEB", "event_type": "Order"}]},
        "unknown_event_type",
        "channels[0].event_type",
    ),
    "a channel twice": ({"channels": [{"channel": "WEB"}] * 2}, "invalid_preferences", "channels[1]"),
}


@pytest.mark.parametrize(("body", "code", "field"), INVALID.values(), ids=INVALID)
def test_an_error_names_its_field(manager, body: dict, code: str, field: str) -> None:
    assert refusal(manager.put("/users/alice/preferences", json=body)) == (422, code, field)
    assert manager.get("/users/alice/preferences").json() == {"channels": []}
