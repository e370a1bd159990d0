"""`/users/{id}/preferences`: the order of channels and those that are off, and that routing obeys them."""

from datetime import timedelta

import pytest

from gateway.auth.bearer import grant_of
from gateway.codec import events
from gateway.codec.wishes import WEEKDAYS
from notifications.routing.plan import plan_for
from runtime.postgres import clock
from tests.gateway.api.test_profiles import CHAT, MAIL, client_of, refusal
from tests.gateway.good_events import event_json
from tests.gateway.servers import Server
from tests.kit.sign_in import token_for
from users import keys
from users.models import EventGroup, Source

EVERY = {"group": "", "enabled": True, "min_priority": "INFORMATIONAL"}
WISHES = {
    "channels": [
        {"channel": "EMAIL", "event_type": "", **EVERY},
        {"channel": "TELEGRAM", "event_type": "", **EVERY},
        {"channel": "EMAIL", "event_type": "ORDER_FILLED", **EVERY, "enabled": False},
    ]
}
NONE = {
    "channels": [], "mutes": [], "quiet_hours": [], "send_windows": [], "throttles": [], "digests": [],
    "not_piercing": [],
}  # fmt: skip


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
    assert manager.get("/users/alice/preferences").json() == NONE
    for _ in range(2):
        assert manager.put("/users/alice/preferences", json=WISHES).json() == NONE | WISHES
    assert planned(shop, "RISK_ALERT") == ["EMAIL", "TELEGRAM"]
    assert planned(shop, "ORDER_FILLED") == ["TELEGRAM"]
    assert manager.put("/users/alice/preferences", json={}).json() == NONE | WISHES
    assert manager.put("/users/alice/preferences", json={"channels": []}).json() == NONE


def test_a_person_sets_their_own(daphne: Server, manager) -> None:
    with client_of(daphne, token_for("alice")) as alice:
        assert alice.put("/users/me/preferences", json=WISHES).json() == NONE | WISHES
        assert refusal(alice.get("/users/bob/preferences"))[:2] == (404, "not_found")
    assert manager.get("/users/alice/preferences").json() == NONE | WISHES


EVERYTHING = {
    "channels": [
        {"channel": "EMAIL", "event_type": "", **EVERY, "group": "prices", "min_priority": "CRITICAL"},
    ],
    "mutes": [{"event_type": "", "group": "prices", "until": 4102444800000}],
    "quiet_hours": [{"weekdays": ["MONDAY", "SUNDAY"], "starts": "22:00", "ends": "07:00"}],
    "send_windows": [{"weekdays": ["TUESDAY"], "starts": "00:00", "ends": "00:00"}],
    "throttles": [{"at_most": 5, "per_s": 3600, "event_type": "", "group": "prices"}],
    "digests": [
        {
            "channel": "EMAIL", "mode": "SCHEDULE", "event_type": "", "group": "prices", "period_s": None,
            "times": ["08:00", "18:00"], "weekdays": ["MONDAY"],
        },
        {
            "channel": "TELEGRAM", "mode": "INTERVAL", "event_type": "", "group": "", "period_s": 900,
            "times": [], "weekdays": WEEKDAYS,
        },
    ],
    "not_piercing": ["prices"],
}  # fmt: skip


@pytest.fixture
def groups(transactional_db: None) -> None:
    EventGroup.objects.create(
        name="prices", label="Prices", event_types=["PRICE_*"], may_opt_out_of_piercing=True
    )
    EventGroup.objects.create(name="security", label="Security", event_types=["SIGN_IN"], mandatory=True)


def test_every_section_comes_back_as_it_was_put(manager, groups) -> None:
    for _ in range(2):
        assert manager.put("/users/alice/preferences", json=EVERYTHING).json() == EVERYTHING
    assert manager.put("/users/alice/preferences", json={"mutes": []}).json() == EVERYTHING | {"mutes": []}
    assert [group["name"] for group in manager.get("/event-groups").json()["groups"]] == [
        "prices",
        "security",
    ]


def test_a_person_mutes_and_lifts_it(daphne: Server, manager, groups) -> None:
    until = round((clock.now() + timedelta(hours=2)).timestamp() * 1000)
    with client_of(daphne, token_for("alice")) as alice:
        first = alice.post("/users/me/mutes", json={"group": "prices", "until": until})
        assert (first.status_code, first.json()["until"]) == (201, until)
        second = alice.post("/users/me/mutes", json={"group": "prices"}).json()
        assert alice.get("/users/me/mutes").json() == {"mutes": [second]}
        found = alice.get("/users/me/reachability").json()["mutes"]
        assert found == [{"event_type": None, "group": "prices", "until": None}]
        assert alice.delete(f"/users/me/mutes/{second['id']}").status_code == 204
        assert refusal(alice.delete(f"/users/me/mutes/{second['id']}"))[:2] == (404, "not_found")
        assert alice.get("/users/me/mutes").json() == {"mutes": []}


def test_reachability_says_what_a_normal_event_would_wait_for(daphne: Server, manager) -> None:
    always = {"quiet_hours": [{"starts": "00:00", "ends": "00:00"}]}
    manager.put("/users/alice/preferences", json=always)
    with client_of(daphne, token_for("alice")) as alice:
        held = alice.get("/users/me/reachability").json()["held"]
    assert held == {"reason": "quiet_hours", "until": None}


BAD_MUTES = {
    "both": ({"event_type": "ORDER_FILLED", "group": "prices"}, 422, "invalid_preferences", "group"),
    "no such group": ({"group": "colours"}, 422, "unknown_group", "group"),
    "in the past": ({"until": 1500000000000}, 422, "until_has_passed", "until"),
    "a mandatory group": ({"group": "security"}, 422, "mandatory", "group"),
    "a type of a mandatory group": ({"event_type": "my_app.sign_in"}, 422, "mandatory", "event_type"),
}


@pytest.mark.parametrize(("body", "status", "code", "field"), BAD_MUTES.values(), ids=BAD_MUTES)
def test_a_mute_that_cannot_be(manager, groups, body, status, code, field) -> None:
    EventGroup.objects.filter(name="security").update(event_types=["my_app.*"])
    assert refusal(manager.post("/users/alice/mutes", json=body)) == (status, code, field)


INVALID = {
    "a group that may not be opted out of": (
        {"not_piercing": ["security"]},
        "opt_out_not_allowed",
        "not_piercing[0]",
    ),
    "no time of day": (
        {"quiet_hours": [{"starts": "25:00", "ends": "07:00"}]},
        "invalid_time",
        "quiet_hours[0].starts",
    ),
    "no weekday": (
        {"send_windows": [{"weekdays": [], "starts": "09:00", "ends": "17:00"}]},
        "invalid_preferences",
        "send_windows[0].weekdays",
    ),
    "an unknown priority": (
        {"channels": [{"channel": "WEB", "min_priority": "URGENT"}]},
        "unknown_value",
        "channels[0].min_priority",
    ),
    "a throttle of none": (
        {"throttles": [{"at_most": 0, "per_s": 60}]},
        "out_of_range",
        "throttles[0].at_most",
    ),
    "an interval without a period": (
        {"digests": [{"channel": "EMAIL", "mode": "INTERVAL"}]},
        "invalid_preferences",
        "digests[0].period_s",
    ),
    "a schedule without a time": (
        {"digests": [{"channel": "EMAIL", "mode": "SCHEDULE"}]},
        "invalid_preferences",
        "digests[0].times",
    ),
    "a digest of a page": (
        {"digests": [{"channel": "WEB", "mode": "OFF"}]},
        "unknown_value",
        "digests[0].channel",
    ),
    "an unknown mode": (
        {"digests": [{"channel": "EMAIL", "mode": "off"}]},
        "unknown_value",
        "digests[0].mode",
    ),
    "a digest twice": (
        {"digests": [{"channel": "EMAIL", "mode": "OFF"}] * 2},
        "invalid_preferences",
        "digests[1]",
    ),
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
def test_an_error_names_its_field(manager, groups, body: dict, code: str, field: str) -> None:
    status = 403 if code == "opt_out_not_allowed" else 422
    assert refusal(manager.put("/users/alice/preferences", json=body)) == (status, code, field)
    assert manager.get("/users/alice/preferences").json() == NONE
