"""Messages of given events, and the check that a message can be shown."""

import re
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any

from gateway.web.samples import SAMPLES
from notifications.events import Content
from notifications.rendering.render import MAX_TITLE_CHARS, render
from notifications.states import Channel, Priority
from notifications.transports.base import Message

NOTICE = "You may have received this already."
TELEGRAM_UNITS = 4_096  # https://core.telegram.org/bots/api#sendmessage
AT_MS = 1_763_650_800_000  # 20 Nov 2025, 15:00:00 UTC
SHOWN = [Channel.WEB, Channel.TELEGRAM, Channel.EMAIL]

MORE_TYPES: dict[str, dict[str, Any]] = {
    "BALANCE_UPDATED": {"asset": "BTC", "avail": "1.501000", "frozen": "0.000000"},
    "TRADE_EXECUTED": {"symbol": "BTC_USDT", "side": "BUY", "quantity": "0.001", "price": "85000.00"},
    "TRADING_SIGNAL": {"symbol": "BTC/USDT", "signal": "BUY", "confidence": 0.85},
    "RISK_ALERT": {"risk_type": "max_drawdown", "value": "0.12", "threshold": "0.1"},
    "PORTFOLIO_UPDATED": {"total_value": "123456.70", "currency": "USDT"},
    "MARKET_DATA_UPDATED": {"symbol": "BTC/USDT", "price": 45000, "volume": 100},
    "SYSTEM_HEALTH": {"service": "ingest", "status": "DEGRADED"},
}


def rendered(
    event_type: str = "ORDER_FILLED",
    payload: Mapping[str, Any] | None = None,
    channel: Channel = Channel.WEB,
    *,
    priority: Priority = Priority.NORMAL,
    time_zone: str = "America/New_York",
    locale: str = "en",
    possible_duplicate: bool = False,
) -> Message:
    content = Content(
        "e1",
        event_type,
        priority,
        AT_MS,
        SAMPLES[event_type] if payload is None else payload,
        time_zone,
        locale=locale,
    )
    return render(content, channel, key="key-1", possible_duplicate=possible_duplicate)


class Markup(HTMLParser):
    """Reads markup; `problems` says what is not allowed or not balanced."""

    VOID = frozenset({"meta", "br", "img"})

    def __init__(self, markup: str, allowed: set[str] | None = None) -> None:
        super().__init__(convert_charrefs=True)
        self.allowed, self.stack, self.problems = allowed, list[str](), list[str]()
        self.text, self.links = "", list[str]()
        self.feed(markup)
        self.close()
        self.problems += [f"{tag} left open" for tag in self.stack]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [name for name, _ in attrs if name in {"href", "src"} or name.startswith("on")]
        if self.allowed is not None and (tag not in self.allowed or attrs):
            self.problems.append(f"{tag} {attrs} not allowed")
        if tag not in self.VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.stack or self.stack.pop() != tag:
            self.problems.append(f"{tag} closed, not open")

    def handle_data(self, data: str) -> None:
        self.text += data


def telegram_markup(message: Message) -> Markup:
    return Markup(message.html, {"b", "i"})


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def assert_presentable(message: Message, channel: Channel) -> None:
    assert {type(part) for part in (message.title, message.text, message.html)} == {str}
    assert message.title
    assert len(message.title) <= MAX_TITLE_CHARS
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", message.title)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", message.text)
    assert bool(message.html) == (channel in {Channel.TELEGRAM, Channel.EMAIL})
    if channel == Channel.TELEGRAM:
        assert telegram_markup(message).problems == []
        assert units(message.text) <= TELEGRAM_UNITS
        assert units(message.html) <= TELEGRAM_UNITS
    if channel == Channel.EMAIL:
        markup = Markup(message.html)
        assert markup.problems == []
        assert markup.links == []
