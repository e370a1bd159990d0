"""The sub-protocol `tocsin.exchange.v1`: frames as trading clients know them."""

import json
from collections.abc import Callable, Iterator

import pytest
import websockets.exceptions

from gateway.sockets import exchange
from notifications.models import Event
from tests.gateway.good_events import event_json
from tests.gateway.other_ends import Page, Producer
from tests.gateway.servers import Server
from tests.kit.eventually import eventually
from tests.kit.sign_in import cookie_of, token_for
from users.models import TopicRule

# The frames that such clients were written for, name by name and type by type.
ORDER = {
    "type": "order.update",
    "data": {
        "order_id": 1001,
        "symbol": "BTC_USDT",
        "status": "FILLED",
        "filled_qty": "0.001",
        "avg_price": "85000.00",
        "updated_at": 1734533790000,
    },
}
TRADE = {
    "type": "trade",
    "data": {
        "trade_id": 5001,
        "order_id": 1001,
        "symbol": "BTC_USDT",
        "side": "BUY",
        "role": "TAKER",
        "traded_at": 1734533790000,
    },
}
BALANCE = {"type": "balance.update", "data": {"asset": "BTC", "avail": "1.501000", "frozen": "0.000000"}}

ORDER_EVENT = {
    "event_type": "ORDER_FILLED",
    "payload": {
        "order_id": "1001",
        "symbol": "BTC_USDT",
        "side": "buy",
        "fill_quantity": "0.001",
        "fill_price": "85000.00",
        "status": "filled",
        "timestamp": 1734533790000,
    },
}
TRADE_EVENT = {
    "event_type": "TRADE_EXECUTED",
    "payload": {
        "trade_id": "5001",
        "order_id": "1001",
        "symbol": "BTC_USDT",
        "side": "buy",
        "role": "TAKER",
        "traded_at": 1734533790000,
    },
}
BALANCE_EVENT = {
    "event_type": "BALANCE_UPDATED",
    "payload": {"asset": "BTC", "avail": "1.501000", "frozen": "0.000000"},
}
SAME = [(ORDER_EVENT, ORDER), (TRADE_EVENT, TRADE), (BALANCE_EVENT, BALANCE)]
LIVE = {"priority": "INFORMATIONAL"}


@pytest.fixture
def trader(daphne: Server) -> Iterator[Callable[..., Page]]:
    """Open a socket that speaks the sub-protocol, without a browser."""
    pages: list[Page] = []

    def open_one(person, *, offered: tuple[str, ...] = (exchange.SUBPROTOCOL,)) -> Page:
        page = Page(f"{daphne.ws_url}/ws/native", ready=False, subprotocols=list(offered))
        pages.append(page)
        page.send(type="auth", token=token_for(person.external_id))
        assert page.receive()["type"] == "ready"
        return page

    yield open_one
    for page in pages:
        page.close()


@pytest.mark.parametrize(("event", "frame"), SAME)
def test_a_live_event_is_exactly_the_known_frame(trader, producer: Producer, ann, event, frame) -> None:
    page = trader(ann)
    assert page.socket.subprotocol == exchange.SUBPROTOCOL
    producer.publish(**event, delivery=LIVE)
    assert page.receive() == frame


@pytest.mark.parametrize(("event", "frame"), SAME)
def test_a_stored_event_can_be_confirmed(trader, producer: Producer, ann, event, frame) -> None:
    page = trader(ann)
    sent = event_json(**event, delivery={"priority": "CRITICAL"}, ack_timeout_ms=60_000)
    ack = producer.post("/events", json=sent).json()
    received = page.receive()
    assert {name: received[name] for name in ("type", "data")} == frame
    assert received["event_id"] == sent["event_id"]
    assert (received["seq"], received["ack_by"]) == (1, pytest.approx(ack["at"] + 60_000, abs=100))
    assert received.keys() == {"type", "data", "event_id", "source", "seq", "ack_by"}
    page.send(type="ack", source=received["source"], event_ids=[received["event_id"]])
    eventually(lambda: Event.objects.get().evidence == "client")


def test_ping_is_answered_exactly(trader, ann) -> None:
    page = trader(ann)
    page.socket.send('{"type": "ping"}')
    assert json.loads(page.socket.recv(timeout=10)) == {"type": "pong"}


def test_a_trade_reaches_buyer_and_seller_each_as_their_own(trader, producer: Producer, ann, bob) -> None:
    buyer, seller = trader(ann), trader(bob)
    sides = [("ann", "BUY", "TAKER", 1001), ("bob", "SELL", "MAKER", 1002)]
    acks = producer.batch(
        *(
            event_json(
                event_id=f"trade-5001-{side}",
                user_id=person,
                event_type="TRADE_EXECUTED",
                payload=TRADE_EVENT["payload"] | {"side": side, "role": role, "order_id": order_id},
            )
            for person, side, role, order_id in sides
        )
    )
    assert [ack["status"] for ack in acks] == ["QUEUED", "QUEUED"]
    for page, (_, side, role, order_id) in zip((buyer, seller), sides, strict=True):
        frame = page.receive()
        assert (frame["type"], frame["data"]["trade_id"]) == ("trade", 5001)
        assert (frame["data"]["side"], frame["data"]["role"]) == (side, role)
        assert frame["data"]["order_id"] == order_id


def test_what_is_not_of_the_exchange_is_not_sent_and_stays_unconfirmed(
    trader, open_page, producer: Producer, ann
) -> None:
    page, plain = trader(ann), open_page(ann)
    producer.publish(event_type="RISK_ALERT", payload={})
    producer.publish(event_type="TRADE_EXECUTED", payload={"symbol": "BTC_USDT"})  # no trade_id
    first = plain.receive()
    plain.send(type="read", event_ids=[first["event_id"]])
    plain.receive()
    page.barrier()
    assert set(Event.objects.values_list("evidence", flat=True)) == {""}


def test_any_number_of_events_that_are_not_sent_keeps_nothing_back(trader, producer: Producer, ann) -> None:
    page = trader(ann)
    producer.batch(*(event_json(event_type="RISK_ALERT") for _ in range(100)))
    producer.publish(**ORDER_EVENT)
    frame = page.receive()
    assert (frame["type"], frame["seq"]) == ("order.update", 101)


def test_topics_work_and_their_events_are_translated(trader, producer: Producer, ann, venue) -> None:
    TopicRule.objects.create(prefix="trades.", audience="everybody")
    venue.topic_prefixes = ["trades."]
    venue.save()
    page = trader(ann)
    page.send(type="subscribe", topics=["trades.BTC_USDT"])
    assert page.receive() == {"type": "subscribed", "topics": ["trades.BTC_USDT"]}
    producer.publish(user_id=..., topic="trades.BTC_USDT", **TRADE_EVENT, delivery=LIVE)
    assert page.receive() == TRADE


def test_errors_pass(trader, ann) -> None:
    page = trader(ann)
    page.send(type="shout")
    assert page.receive()["code"] == "unknown_type"


def test_the_known_one_of_several_is_spoken(trader, ann) -> None:
    page = trader(ann, offered=("chat", exchange.SUBPROTOCOL))
    assert page.socket.subprotocol == exchange.SUBPROTOCOL


@pytest.mark.parametrize("path", ["/ws", "/ws/native"])
def test_an_unknown_one_is_refused_with_its_reason(daphne: Server, ann, path: str) -> None:
    headers = {"Cookie": cookie_of(ann)}
    page = Page(
        f"{daphne.ws_url}{path}",
        ready=False,
        origin=daphne.url,
        additional_headers=headers,
        subprotocols=["tocsin.exchange.v2"],
    )
    error = page.receive()
    assert (error["type"], error["code"]) == ("error", "unknown_subprotocol")
    assert exchange.SUBPROTOCOL in error["detail"]
    assert page.closed_with() == 4010
    page.close()


def test_who_offers_none_is_spoken_to_as_ever(open_page, producer: Producer, ann) -> None:
    page = open_page(ann)
    assert page.socket.subprotocol is None
    producer.publish(**ORDER_EVENT, delivery=LIVE)
    assert page.receive()["type"] == "event"


def test_the_origin_counts_with_the_sub_protocol_too(daphne: Server, ann) -> None:
    page = Page(
        f"{daphne.ws_url}/ws",
        ready=False,
        origin="https://elsewhere.example",
        additional_headers={"Cookie": cookie_of(ann)},
        subprotocols=[exchange.SUBPROTOCOL],
    )
    with pytest.raises(websockets.exceptions.ConnectionClosed) as closed:
        page.receive()
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 4003
    page.close()


def order(event_type: str, payload: dict) -> dict:
    frame = {"type": "event", "event_id": "e", "event_type": event_type, "timestamp": 7, "payload": payload}
    text = exchange.translated(json.dumps(frame))
    assert text is not None
    return json.loads(text)["data"]


@pytest.mark.parametrize(
    ("event_type", "status", "said"),
    [
        ("ORDER_PLACED", "open", "NEW"),
        ("ORDER_CANCELLED", "", "CANCELED"),
        ("ORDER_REJECTED", None, "REJECTED"),
        ("ORDER_EXPIRED", "cancelled", "EXPIRED"),
        ("ORDER_UPDATED", "partially_filled", "PARTIALLY_FILLED"),
        ("ORDER_UPDATED", "cancelled", "CANCELED"),
        ("ORDER_UPDATED", None, "PARTIALLY_FILLED"),
        ("ORDER_EXECUTED", None, "FILLED"),
    ],
)
def test_the_status_of_an_order(event_type: str, status: str | None, said: str) -> None:
    data = order(event_type, {"order_id": 1, "symbol": "X", "status": status})
    assert data["status"] == said


def test_what_an_order_does_not_say() -> None:
    assert order("ORDER_PLACED", {"order_id": 1, "symbol": "X"}) == {
        "order_id": 1,
        "symbol": "X",
        "status": "NEW",
        "filled_qty": "0",
        "avg_price": "0",
        "updated_at": 7,
    }


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("1001", 1001),
        (1001, 1001),
        ("9007199254740991", 2**53 - 1),
        ("9007199254740992", "9007199254740992"),
        ("007", "007"),
        ("a-1", "a-1"),
        ("٣", "٣"),
        ("1" * 5_000, "1" * 5_000),
    ],
)
def test_an_id_is_a_number_where_that_is_exact(given: object, said: object) -> None:
    assert order("ORDER_FILLED", {"order_id": given, "symbol": "X"})["order_id"] == said


def test_names_of_such_clients_are_taken_in_payloads_too() -> None:
    payload = {key: value for key, value in ORDER["data"].items() if key != "status"}
    assert order("ORDER_FILLED", payload) == ORDER["data"]


def sent(event_type: str, **payload: object) -> dict | None:
    """Return the data of the frame, or None if the client gets none."""
    frame = {"type": "event", "event_id": "e", "event_type": event_type, "timestamp": 7, "payload": payload}
    text = exchange.translated(json.dumps(frame))
    return None if text is None else json.loads(text)["data"]


ID = {"order_id": "1", "symbol": "BTC_USDT"}
UNUSABLE_AMOUNTS = [
    True,
    False,
    "true",
    "True",
    [1],
    [],
    {},
    {"a": 1},
    "NaN",
    float("nan"),
    float("inf"),
    "Infinity",
]
UNUSABLE_AMOUNTS += [
    "1,000.5",
    "1_000",
    "0x10",
    "٣",
    "abc",
    "1e999",
    "1e999999999",
    "1 000",
    "--1",
    "1.2.3",
    ".",
]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (9007199254740993, "9007199254740993"),
        ("9007199254740993", "9007199254740993"),
        (-9007199254740993, "-9007199254740993"),
        (10**30, str(10**30)),
        (1001.0, 1001),
        (" 1001 ", 1001),
        ("1e5", "1e5"),
    ],
)
def test_an_id_is_never_rounded(given: object, said: object) -> None:
    data = sent("ORDER_FILLED", order_id=given, symbol="X")
    assert data is not None and data["order_id"] == said


@pytest.mark.parametrize(
    "given", [None, "", " ", 0, "0", True, False, [1], {"id": 1}, 1.5, 1e22, float("nan")]
)
def test_an_id_that_is_none_is_not_sent(given: object) -> None:
    assert sent("ORDER_FILLED", order_id=given, symbol="X") is None
    assert sent("TRADE_EXECUTED", **TRADE_EVENT["payload"] | {"trade_id": given}) is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (1e-8, "0.00000001"),
        ("1E-8", "0.00000001"),
        ("1e-08", "0.00000001"),
        (1e22, "10000000000000000000000"),
        ("1E+3", "1000"),
        (0, "0"),
        (9007199254740993, "9007199254740993"),
        ("+1.50", "1.50"),
        (".5", "0.5"),
        ("007.50", "7.50"),
        (" 2 ", "2"),
        ("-3.10", "-3.10"),
        ("-0", "0"),
        ("1.501000", "1.501000"),
    ],
)
def test_an_amount_is_a_plain_decimal(given: object, said: str) -> None:
    balance = sent("BALANCE_UPDATED", asset="BTC", avail=given, frozen=given)
    filled = sent("ORDER_FILLED", **ID, filled_qty=given, avg_price=given)
    assert balance == {"asset": "BTC", "avail": said, "frozen": said}
    assert filled is not None and (filled["filled_qty"], filled["avg_price"]) == (said, said)


@pytest.mark.parametrize("given", UNUSABLE_AMOUNTS, ids=repr)
def test_an_amount_that_is_none_is_neither_sent_nor_zero(given: object) -> None:
    assert sent("BALANCE_UPDATED", asset="BTC", avail=given) is None
    assert sent("BALANCE_UPDATED", asset="BTC", avail="1", frozen=given) is None
    assert sent("ORDER_FILLED", **ID, avg_price=given) is None


@pytest.mark.parametrize("missing", [None, "", " "])
def test_null_and_empty_are_missing(missing: object) -> None:
    assert sent("BALANCE_UPDATED", asset="BTC", avail="1", frozen=missing) == {
        "asset": "BTC",
        "avail": "1",
        "frozen": "0",
    }
    assert sent("BALANCE_UPDATED", asset="BTC", avail=missing) is None
    assert sent("BALANCE_UPDATED", asset=missing, avail="1") is None
    data = sent(
        "ORDER_UPDATED", **ID, filled_qty=missing, fill_quantity="2", updated_at=missing, status=missing
    )
    assert data is not None
    assert (data["filled_qty"], data["updated_at"], data["status"]) == ("2", 7, "PARTIALLY_FILLED")


@pytest.mark.parametrize(
    ("state", "spellings"),
    [
        ("NEW", ["new", "New", "OPEN", "live", "Accepted", "submitted", "PENDING_NEW", " active "]),
        (
            "PARTIALLY_FILLED",
            ["PartiallyFilled", "partial-fill", "partially filled", "partial", "PARTIAL_FILLED"],
        ),
        ("FILLED", ["filled", "Filled", "FULLY_FILLED", "executed", "completed", "closed"]),
        ("CANCELED", ["cancelled", "Cancelled", "canceled", "PartiallyFilledCanceled", "mmp_canceled"]),
        ("REJECTED", ["rejected", "Rejected", "failed"]),
        ("EXPIRED", ["expired", "Expired", "EXPIRED_IN_MATCH"]),
    ],
)
@pytest.mark.parametrize("event_type", ["ORDER_UPDATED", "ORDER_EXECUTED"])
def test_a_state_is_one_of_six_words(event_type: str, state: str, spellings: list[str]) -> None:
    for spelling in spellings:
        data = sent(event_type, **ID, status=spelling)
        assert data is not None and data["status"] == state, spelling


@pytest.mark.parametrize("given", ["frobnicated", True, 3, ["filled"], {"s": 1}, "PENDING_CANCEL", "none"])
def test_a_state_that_is_not_known_is_not_sent(given: object) -> None:
    assert sent("ORDER_UPDATED", **ID, status=given) is None


@pytest.mark.parametrize("name", ["side", "role", "symbol"])
@pytest.mark.parametrize("given", [True, 1, ["BUY"], {}, "", None])
def test_a_trade_without_a_usable_side_role_or_symbol_is_not_sent(name: str, given: object) -> None:
    assert sent("TRADE_EXECUTED", **TRADE_EVENT["payload"] | {name: given}) is None


@pytest.mark.parametrize(("given", "said"), [("Buy", "BUY"), ("SELL", "SELL"), ("bid", "BUY"), ("b", "BUY")])
def test_a_side_is_buy_or_sell(given: str, said: str) -> None:
    data = sent("TRADE_EXECUTED", **TRADE_EVENT["payload"] | {"side": given, "role": "Maker"})
    assert data is not None and (data["side"], data["role"]) == (said, "MAKER")
    assert sent("TRADE_EXECUTED", **TRADE_EVENT["payload"] | {"side": "maybe"}) is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (1734533790000, 1734533790000),
        ("1734533790000", 1734533790000),
        (1734533790, 1734533790000),
        ("1734533790000000", 1734533790000),
        (1734533790000000000, 1734533790000),
        ("2024-12-18T14:56:30Z", 1734533790000),
        ("2024-12-18T14:56:30+00:00", 1734533790000),
        (0, 7),
        (-1, 7),
        ("0001-01-01T00:00:00Z", 7),
        (True, 7),
        ([1734533790000], 7),
        ("yesterday", 7),
        (float("nan"), 7),
    ],
)
def test_a_time_is_in_milliseconds(given: object, said: int) -> None:
    order_data, trade = (
        sent("ORDER_FILLED", **ID, updated_at=given),
        sent("TRADE_EXECUTED", **TRADE_EVENT["payload"] | {"traded_at": given}),
    )
    assert order_data is not None and trade is not None
    assert (order_data["updated_at"], trade["traded_at"]) == (said, said)
