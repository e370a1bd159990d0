"""docs/asyncapi.yaml is valid, says what the code does, and holds for frames as they come."""

import ast
import json
import re
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest
import yaml

from config.env import ROOT
from gateway.sockets import exchange
from gateway.sockets.consumer import SessionConsumer
from tests.gateway.good_events import event_json
from tests.gateway.other_ends import Page
from tests.kit.sign_in import cookie_of, token_for
from users.models import TopicRule

DOCUMENT = yaml.safe_load((ROOT / "docs/asyncapi.yaml").read_text())
MESSAGES = DOCUMENT["components"]["messages"]


def direction(operation: str) -> set[str]:
    refs = [entry["$ref"] for entry in DOCUMENT["operations"][operation]["messages"]]
    return {ref.rsplit("/", 1)[1] for ref in refs}


PLAIN = direction("clientSends") | direction("serverSends")  # where no sub-protocol is spoken


def said_by_the_server() -> set[str]:
    """Every frame type that is a literal where a frame is made."""
    said = {"event.seen", "event.read", "event.archived"}  # named after what was marked
    for package in ("gateway", "notifications"):
        for path in (ROOT / package).glob("**/*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and re.search(
                    r"(\b_send_frame|\bframe|\bchanged_frames)$", ast.unparse(node.func)
                ):
                    kind = node.args[0] if node.args else None
                    if isinstance(kind, ast.Constant) and isinstance(kind.value, str):
                        said.add(kind.value)
    return said


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def problems(run_node, *frames: dict) -> list[str]:
    done = run_node("tests/check-frames.js", given=json.dumps({"document": DOCUMENT, "frames": frames}))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_it_is_a_valid_document(run_node) -> None:
    assert problems(run_node) == []


def test_the_check_finds_what_is_wrong(run_node) -> None:
    found = problems(run_node, {"type": "ack", "event_ids": []}, {"type": "nonsense"})
    assert [problem.split(":")[0] for problem in found] == ["ack/event_ids", "nonsense"]


def test_every_reference_leads_somewhere() -> None:
    for reference in references(DOCUMENT):
        node = DOCUMENT
        for part in reference.removeprefix("#/").split("/"):
            assert part in node, reference
            node = node[part]


def test_every_message_has_its_own_type_and_one_direction() -> None:
    assert {name: entry["payload"]["properties"]["type"]["const"] for name, entry in MESSAGES.items()} == {
        name: name for name in MESSAGES
    }
    client, server = direction("clientSends"), direction("serverSends")
    assert PLAIN | direction("exchangeSends") == set(MESSAGES)
    assert client & (server | direction("exchangeSends")) == set()
    assert set(DOCUMENT["channels"]["page"]["messages"]) == PLAIN
    assert set(DOCUMENT["channels"]["exchange"]["messages"]) == direction("exchangeSends")


def test_every_frame_that_the_server_handles_is_described_and_no_other() -> None:
    assert direction("clientSends") == set(SessionConsumer._handlers)


def test_every_frame_that_the_server_sends_is_described_and_no_other() -> None:
    assert direction("serverSends") == said_by_the_server()


def test_what_the_sub_protocol_sends_is_described_and_nothing_else() -> None:
    event = {"event_id": "e1", "timestamp": 1, "priority": "NORMAL", "payload": {}, "type": "event"}
    words = {translate(event | {"event_type": name})[0] for name, translate in exchange._TRANSLATIONS.items()}
    assert direction("exchangeSends") == words | exchange._PASSES


def test_every_close_code_is_described() -> None:
    described = set(re.findall(r"\b\d{4}\b", DOCUMENT["info"]["description"]))
    documented = (ROOT / "docs/websocket.md").read_text().split("## Close codes")[1]
    codes = {
        code for row in re.findall(r"^\| ([\d, ]+) \|", documented, re.MULTILINE) for code in row.split(", ")
    }
    assert codes
    assert codes - described == set()


def test_real_frames_are_as_described(run_node, daphne, open_page, producer, ann, venue) -> None:
    TopicRule.objects.create(prefix="market.", audience="everybody")
    venue.topic_prefixes = ["market."]
    venue.save()
    frames = _exchanged(open_page, producer, ann)
    assert {frame["type"] for frame in frames} == PLAIN - {"shutdown"}  # with a server's end only
    assert problems(run_node, *frames) == []
    for frame in frames:
        known = MESSAGES[frame["type"]]["payload"]["properties"]
        assert set(frame) - set(known) == set(), frame["type"]


def _exchanged(open_page, producer, ann) -> list[dict]:
    """Return what a page and the server said to each other: all frames of both."""
    frames: list[dict] = []

    def said(page: Page, **frame: object) -> None:
        frames.append(dict(frame))
        page.send(**frame)

    page = open_page(ann)
    native = open_page(path="/ws/native", origin=None, ready=False)
    said(native, type="auth", token=token_for("ann"), resume={"seq": 1, "epoch": "another"})
    frames += [page.ready, native.receive(), native.receive()]
    said(native, type="auth", token=token_for("ann"))
    frames.append(native.receive())
    event = event_json(delivery={"priority": "CRITICAL"}, ack_timeout_ms=60_000)
    for fields in (event, event_json(), event_json(delivery={"priority": "INFORMATIONAL"})):
        producer.post("/events", json=fields)
        frames += [page.receive(), native.receive()]
    ids = [event["event_id"]]
    said(page, type="ack", event_ids=ids)
    frames.append(native.receive())
    for kind in ("seen", "read", "archive"):
        said(page, type=kind, event_ids=ids)
        frames.append(page.receive())
    said(page, type="acknowledge", event_id=ids[0])
    frames.append(page.receive())
    for topics in (["market.BTC", "secret"], ["market.ETH"]):
        said(page, type="subscribe", topics=topics)
        frames.append(page.receive())
    frames.append(page.receive())
    producer.publish(user_id=..., topic="market.BTC", delivery={"priority": "INFORMATIONAL"})
    frames.append(page.receive())
    said(page, type="unsubscribe", topics=["market.BTC"])
    frames.append(page.receive())
    said(page, type="ping")
    frames.append(page.receive())
    said(page, type="inbox", limit=1)
    frames.append(page.receive())
    page.send(type="nonsense")
    frames.append(page.receive())
    return frames


TRADES = {
    "ORDER_FILLED": {"order_id": "1001", "symbol": "BTC_USDT"},
    "TRADE_EXECUTED": {
        "trade_id": "5001",
        "order_id": "A-7",
        "symbol": "BTC_USDT",
        "side": "BUY",
        "role": "TAKER",
    },
    "BALANCE_UPDATED": {"asset": "BTC", "avail": "1.501000", "frozen": "0.000000"},
}


def test_real_frames_of_the_sub_protocol_are_as_described(run_node, daphne, producer, ann) -> None:
    url = f"{daphne.ws_url}/ws/native"
    with closing(Page(url, ready=False, subprotocols=[exchange.SUBPROTOCOL])) as page:
        page.send(type="auth", token=token_for("ann"))
        frames = [page.receive()]
        for event_type, payload in TRADES.items():
            for priority in ("INFORMATIONAL", "CRITICAL"):
                producer.publish(event_type=event_type, payload=payload, delivery={"priority": priority})
                frames.append(page.receive())
    assert {frame["type"] for frame in frames} == {"ready", "order.update", "trade", "balance.update"}
    assert problems(run_node, *frames) == []
    for frame in frames:
        known = MESSAGES[frame["type"]]["payload"]["properties"]
        assert set(frame) - set(known) == set(), frame["type"]
        assert set(frame.get("data", {})) == set(known.get("data", {}).get("properties", {}))


def test_items_of_the_inbox_are_as_described(run_node, daphne, producer, ann, venue) -> None:
    url = "https://docs.example.com/"
    venue.link_hosts = ["docs.example.com"]
    venue.save()
    link, asking = {"label": "Go", "url": url}, {"label": "Got it", "kind": "acknowledge"}
    body = f"**a** `b` *c* [d]({url})\n- e\n\n```\nf\n```"
    producer.publish(content={"body": body, "url": url, "image": url, "actions": [link, asking]})
    cookie = {"Cookie": cookie_of(ann)}
    url = f"{daphne.url}/api/v1/users/me/inbox"
    items = httpx.get(url, headers=cookie, trust_env=False).json()["items"]
    assert len(items) == 1
    assert problems(run_node, {"type": "snapshot", "items": items}) == []
    assert set(items[0]) == set(DOCUMENT["components"]["schemas"]["inbox_item"]["properties"])


def test_the_server_hands_it_out(daphne) -> None:
    with httpx.Client(base_url=daphne.url, trust_env=False) as client:
        answer = client.get("/api/v1/asyncapi.yaml")
        assert answer.status_code == 200
        assert yaml.safe_load(answer.text) == DOCUMENT
        assert "/api/v1/asyncapi.yaml" in client.get("/api/v1/openapi.json").json()["info"]["description"]


@pytest.mark.parametrize("name", sorted(PLAIN))
def test_the_client_and_its_types_know_every_frame(name: str) -> None:
    source = "".join(path.read_text() for path in (ROOT / "clients/js/src").glob("tocsin.*"))
    connection = (ROOT / "clients/js/src/connection.js").read_text()
    assert f'"{name}"' in source + connection or f"  {name}: " in source
