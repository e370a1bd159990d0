"""The pages that a person opens, and the demo's buttons behind them."""

import json
import re

import pytest
from django.contrib.auth.hashers import make_password
from django.test import Client

from notifications.models import Event
from tests.kit.simulator import SimulatorProcess
from users.models import Source

DEMO_CALLS = [
    ("post", "/demo/send"),
    ("get", "/demo/timeline"),
    ("get", "/demo/provider"),
    ("get", "/demo/provider/telegram"),
    ("put", "/demo/provider/telegram"),
]


def without_inline_code(html: str) -> bool:
    """What the browser would run or style without a file of ours: nothing."""
    scripts = re.findall(r"<script\b([^>]*)>(.*?)</script>", html, re.DOTALL)
    inline = [body for given, body in scripts if body.strip() and "application/json" not in given]
    return not inline and not re.search(r"<[^>]+\s(on\w+|style)=|<style\b|javascript:", html)


def test_who_is_signed_out_is_sent_to_the_login_page(client: Client) -> None:
    answer = client.get("/")
    assert (answer.status_code, answer["Location"]) == (302, "/login/?next=/")
    page = client.get("/login/")
    assert page.status_code == 200
    assert without_inline_code(page.content.decode())


def test_signing_in_leads_to_the_page(client: Client, ann) -> None:
    ann.password = make_password("correct horse")
    ann.save()
    wrong = client.post("/login/", {"username": "ann", "password": "wrong"})
    assert wrong.status_code == 200
    assert b'id="form-error"' in wrong.content
    right = client.post("/login/", {"username": "ann", "password": "correct horse"})
    assert (right.status_code, right["Location"]) == (302, "/")
    page = client.get("/")
    assert page.status_code == 200
    assert without_inline_code(page.content.decode())


@pytest.mark.parametrize("path", ["/", "/login/"])
def test_the_policy_allows_nothing_from_elsewhere(client: Client, ann, path: str) -> None:
    if path == "/":
        client.force_login(ann)
    answer = client.get(path)
    policy = answer["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert re.findall(r'(?:src|href)="((?:https?:)?//[^"]*)"', answer.content.decode()) == []


def test_a_name_with_markup_stays_text(client: Client, ann) -> None:
    ann.username = "<script>alert(1)</script>"
    ann.save()
    client.force_login(ann)
    html = client.get("/").content.decode()
    assert "&lt;script&gt;" in html
    assert "<script>alert" not in html


def test_the_page_says_what_the_browser_needs(client: Client, ann) -> None:
    client.force_login(ann)
    html = client.get("/").content.decode()
    found = re.search(r'<script id="tocsin-config" type="application/json">(.*?)</script>', html)
    assert found is not None
    config = json.loads(found[1])
    assert config["ws_url"] == "/ws"
    assert config["demo"]
    assert config["csrf_token"]
    assert not config["admin_url"]


@pytest.mark.parametrize(("method", "path"), DEMO_CALLS)
def test_a_demo_call_needs_somebody_signed_in(client: Client, transactional_db, method, path) -> None:
    answer = getattr(client, method)(path)
    assert (answer.status_code, answer.json()["code"]) == (401, "not_signed_in")


@pytest.mark.parametrize(("method", "path"), DEMO_CALLS)
def test_without_the_demo_there_is_no_demo_call(client: Client, ann, settings, method, path) -> None:
    settings.TOCSIN_DEMO = False
    client.force_login(ann)
    answer = getattr(client, method)(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_without_the_demo_the_page_has_no_buttons(client: Client, ann, settings) -> None:
    settings.TOCSIN_DEMO = False
    client.force_login(ann)
    html = client.get("/").content.decode()
    assert 'data-testid="send-CRITICAL"' not in html
    assert 'data-testid="inbox"' in html


def test_a_sample_goes_through_the_same_door(client: Client, ann) -> None:
    Source.objects.create(name="demo")
    client.force_login(ann)
    body = {"event_type": "ORDER_FILLED", "priority": "NORMAL"}
    ack = client.post("/demo/send", body, content_type="application/json").json()
    assert ack["code"] == "no_channel"
    assert Event.objects.get().person == ann
    told = client.get("/demo/timeline").json()["events"]
    assert [event["event_id"] for event in told] == [ack["event_id"]]
    assert told[0]["steps"][0]["kind"] == "accepted"


@pytest.mark.parametrize(
    "body",
    ["", "[]", "{}", '{"event_type": "NOTHING", "priority": "NORMAL"}', '{"event_type": [], "priority": 1}'],
)
def test_a_sample_that_is_not_understood_is_refused(client: Client, ann, body: str) -> None:
    Source.objects.create(name="demo")
    client.force_login(ann)
    answer = client.post("/demo/send", body, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (422, "malformed")


def test_a_foreign_page_cannot_press_the_buttons(ann) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(ann)
    assert client.post("/demo/send", "{}", content_type="application/json").status_code == 403


def test_the_providers_show_their_newest_messages(client: Client, ann, settings) -> None:
    simulator = SimulatorProcess()
    try:
        settings.TOCSIN_DEMO, settings.SANDBOX_URL = True, simulator.url
        for number in range(31):
            simulator.http.post(f"/sink/{number}")
        client.force_login(ann)
        shown = client.get("/demo/provider").json()["entries"]
        assert [entry["to"] for entry in shown] == [str(number) for number in range(30, 0, -1)]
    finally:
        simulator.close()
        assert simulator.stop() == 0
