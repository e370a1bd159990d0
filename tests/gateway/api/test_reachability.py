"""GET /users/{id}/reachability, and the person's page in the admin: what would reach them now."""

import pytest
from django.test import Client
from django.utils import timezone

from notifications.states import Channel
from tests.gateway.other_ends import Producer
from tests.kit.eventually import eventually
from tests.kit.sign_in import cookie_of, token_for
from users.models import ChannelPreference, Destination, User

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"


def native(open_page, sub: str, **more: object):
    page = open_page(path="/ws/native", origin=None, ready=False)
    page.send(type="auth", token=token_for(sub), **more)
    assert page.receive()["type"] == "ready"
    return page


def test_somebody_without_anything_is_reached_by_nothing(producer: Producer, ann, valkey) -> None:
    said = producer.get("/users/ann/reachability").json()
    assert {name: said[name] for name in ("user_id", "active", "online", "sockets", "muted")} == {
        "user_id": "ann", "active": True, "online": False, "sockets": [], "muted": [],
    }  # fmt: skip
    assert [(entry["channel"], entry["usable"], entry["reason"]) for entry in said["channels"]] == [
        ("WEB", False, "no_session"),
        ("TELEGRAM", False, "no_destination"),
        ("EMAIL", False, "no_destination"),
    ]


def test_sockets_and_destinations_are_shown_without_addresses(open_page, producer: Producer, ann) -> None:
    chat = Destination.objects.create(
        user=ann, kind=Channel.TELEGRAM, address="100200300", verified_at=timezone.now(),
        last_inbound_at=timezone.now(),
    )  # fmt: skip
    dead = Destination.objects.create(
        user=ann, kind=Channel.EMAIL, address="ann@example.test", verified_at=timezone.now(),
        disabled_at=timezone.now(), disabled_reason="bounced",
    )  # fmt: skip
    ChannelPreference.objects.create(user=ann, event_type="TRADE", channel=Channel.EMAIL, enabled=False)
    page = native(open_page, "ann", device="Desk")
    answer = producer.get("/users/ann/reachability")
    said = answer.json()
    assert (said["online"], said["telegram_active"]) == (True, True)
    assert [(socket["device"], socket["last_confirmation"]) for socket in said["sockets"]] == [("Desk", None)]
    assert 0 <= timezone.now().timestamp() * 1000 - said["sockets"][0]["since"] < 60_000
    assert said["channels"] == [
        {"channel": "WEB", "usable": True, "reason": "online", "destinations": []},
        {
            "channel": "TELEGRAM", "usable": True, "reason": "usable",
            "destinations": [{"id": chat.pk, "usable": True, "reason": "usable"}],
        },
        {
            "channel": "EMAIL", "usable": False, "reason": "disabled: bounced",
            "destinations": [{"id": dead.pk, "usable": False, "reason": "disabled: bounced"}],
        },
    ]  # fmt: skip
    assert said["muted"] == [{"event_type": "TRADE", "group": None, "channel": "EMAIL"}]
    assert "100200300" not in answer.text and "ann@" not in answer.text
    page.close()
    eventually(lambda: producer.get("/users/ann/reachability").json()["sockets"] == [])


def test_the_last_confirmation_is_shown(open_page, producer: Producer, ann) -> None:
    page = native(open_page, "ann")
    producer.publish()
    page.send(type="ack", event_ids=[page.receive()["event_id"]])
    page.barrier()

    def confirmed() -> object:
        return producer.get("/users/ann/reachability").json()["sockets"][0]["last_confirmation"]

    assert eventually(confirmed, within_s=40)


def test_people_ask_about_themselves_alone(producer: Producer, ann, bob) -> None:
    for headers in (
        {"Authorization": f"Bearer {token_for('ann')}"},
        {"Cookie": cookie_of(ann), "Authorization": ""},
    ):
        for name in ("me", "ann"):
            assert producer.get(f"/users/{name}/reachability", headers=headers).json()["user_id"] == "ann"
        assert producer.get("/users/bob/reachability", headers=headers).status_code == 404
    assert producer.get("/users/me/reachability", headers={"Authorization": ""}).status_code == 401
    assert producer.get("/users/carl/reachability").status_code == 404
    assert producer.get("/users/a%00b/reachability").status_code == 404


DEVICES = {
    "given": ("My phone", "My phone"),
    "too long": ("x" * 300, "x" * 80),
    "with control characters": ("a\r\n\0\x1b[31m\u202eb", "a [31m b"),
    "markup stays text": ("<script>alert(1)</script>", "<script>alert(1)</script>"),
    "a lone surrogate": ("a\ud800b", "a b"),
    "not text": (7, "Firefox on Linux"),
    "empty": ("  ", "Firefox on Linux"),
}


@pytest.mark.parametrize(("given", "shown"), DEVICES.values(), ids=DEVICES)
def test_a_device_is_shown_as_one_short_line(given: object, shown: str) -> None:
    from gateway.sockets.devices import device_of

    scope = {"headers": [(b"user-agent", FIREFOX.encode())]}
    assert device_of({"device": given}, scope) == shown


KIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
AGENTS = {
    f"Mozilla/5.0 (Windows NT 10.0) {KIT} Chrome/129.0 Safari/537.36 Edg/129.0": "Edge on Windows",
    f"Mozilla/5.0 (Linux; Android 14) {KIT} Chrome/129.0 Mobile Safari/537.36": "Chrome on Android",
    f"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) {KIT} Safari/604.1": "Safari on iPhone",
    "python/3.11 websockets": "python/3.11 websockets",
}


@pytest.mark.parametrize(("agent", "shown"), AGENTS.items())
def test_a_browser_is_named_by_its_user_agent(agent: str, shown: str) -> None:
    from gateway.sockets.devices import device_of

    assert device_of(None, {"headers": [(b"user-agent", agent.encode())]}) == shown
    assert device_of(None, {"headers": []}) == ""


@pytest.fixture
def admin(transactional_db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root", external_id="root"))
    return client


def test_the_admin_shows_a_persons_sockets_and_no_script_runs_in_them(open_page, admin: Client, ann) -> None:
    page = f"/admin/users/user/{ann.pk}/change/"
    assert "none" in admin.get(page).content.decode().split("pen sockets")[1][:600]
    native(open_page, "ann", device="<script>x</script>")
    eventually(lambda: "&lt;script&gt;x&lt;/script&gt;, since" in admin.get(page).content.decode())
    shown = admin.get(page).content.decode()
    assert "<script>x</script>" not in shown


def test_the_admins_sign_out_closes_every_socket(open_page, admin: Client, ann, bob) -> None:
    pages, other = [open_page(ann), native(open_page, "ann")], open_page(bob)
    data = {"action": "sign_out", "_selected_action": [ann.pk]}
    answer = admin.post("/admin/users/user/", data, follow=True)
    assert "Signed out: 1." in answer.content.decode()
    assert [page.closed_with() for page in pages] == [4001, 4001]
    other.barrier()
