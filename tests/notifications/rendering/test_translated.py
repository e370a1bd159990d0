"""Messages in other languages than English: nothing of them is left in English, and all of them fits."""

import re
from collections.abc import Iterator
from email import message_from_bytes
from email.header import decode_header, make_header
from pathlib import Path
from typing import Any

import pytest
from django.core.mail import EmailMessage

from notifications.events import Content
from notifications.rendering.render import render
from notifications.rendering.shipped import _ROOT
from notifications.states import Channel, Priority
from notifications.transports import registry
from notifications.transports.base import Message
from notifications.transports.spec import ChannelSpec, Fit
from proto.tocsin.v1 import user_events_pb2 as contract
from tests.notifications.rendering.rendered_messages import AT_MS, SHOWN, Markup, assert_presentable, units

TYPES = [*contract.EventType.DESCRIPTOR.values_by_name]
FIELDS = {
    name
    for path in (_ROOT / "wording").rglob("*.txt")
    for name in re.findall(r'(?:payload\.|pairs:")(\w+)', path.read_text())
}
WORDS_OF_THE_PRODUCER = {"title", "body", "message", "reason", "error", "description", "url"}
FULL: dict[str, Any] = {
    **dict.fromkeys(sorted(FIELDS - WORDS_OF_THE_PRODUCER), "7.5"),
    "side": "buy",
    "signal": "sell",
    "status": "PARTIALLY_FILLED",
    "order_type": "stop_limit",
    "role": "maker",
    "severity": "high",
    "log_level": "warning",
    "change_type": "timeframe_changed",
    "annotation_type": "trendline",
    "start_time": AT_MS,
    "end_time": AT_MS,
    "win_rate": "0.5",
    "confidence": "0.9",
    "details": {"lower": "1", "upper": ["2"] * 12},
    "indicator_params": {"length": 14},
    "dry_run": True,
}
SHORT = {"symbol": "7", "side": "long", "quantity": "1", "size": "1", "price": "2", "fill_quantity": "0.5"}
PAYLOADS = {"full": FULL, "short": SHORT, "empty": {}}

# Words that traders use in German as in English, and an abbreviation.
SHARED = frozenset(
    re.findall(
        r"\w+",
        """alternative asset backtest chart details drawdown id in limit liquidation long maker margin ml
        order orders portfolio position ratio rl sharpe signal status stop symbol system trade trades utc""",
    )
)
IN_CHINESE = {"ID", "Maker"}


def said(locale: str, event_type: str, payload: dict[str, Any], channel: Channel, **changes: Any) -> Message:
    content = Content("e1", event_type, Priority.CRITICAL, AT_MS, payload, "Asia/Tokyo", locale=locale)
    return render(content._replace(**changes), channel, key="k", possible_duplicate=True)


def words(message: Message) -> set[str]:
    markup = re.sub("<style>.*?</style>", "", message.html, flags=re.DOTALL)
    return set(re.findall(r"[^\W\d_]{2,}", f"{message.title}\n{message.text}\n{Markup(markup).text}"))


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
@pytest.mark.parametrize("channel", SHOWN)
def test_nothing_is_left_in_english_in_german(channel: Channel, payload: dict[str, Any]) -> None:
    for event_type in TYPES:
        english = {word.lower() for word in words(said("en", event_type, payload, channel))}
        german = {word.lower() for word in words(said("de", event_type, payload, channel))}
        assert english & german - SHARED == set(), event_type


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
@pytest.mark.parametrize("channel", SHOWN)
def test_nothing_is_left_in_latin_letters_in_chinese(channel: Channel, payload: dict[str, Any]) -> None:
    for event_type in TYPES:
        chinese = words(said("zh", event_type, payload, channel))
        assert {word for word in chinese if word.isascii()} - IN_CHINESE - {"GMT"} == set(), event_type


@pytest.mark.parametrize("channel", SHOWN)
@pytest.mark.parametrize("locale", ["de", "de-CH", "zh", "en-US"])
def test_every_message_can_be_presented(locale: str, channel: Channel) -> None:
    for event_type in TYPES:
        for payload in PAYLOADS.values():
            assert_presentable(said(locale, event_type, payload, channel), channel)


def lines(locale: str, event_type: str, payload: dict[str, Any], **changes: Any) -> list[str]:
    message = said(locale, event_type, payload, Channel.WEB, priority=Priority.NORMAL, **changes)
    return [message.title, *message.text.splitlines()]


ORDER = {
    "symbol": "BTC/USDT",
    "side": "buy",
    "order_type": "limit",
    "quantity": "0.5",
    "price": "64300.00",
    "fill_price": "64250.00",
    "fill_quantity": "0.2",
}


@pytest.mark.parametrize(
    ("locale", "said"),
    [
        (
            "de",
            ["Order teilweise ausgeführt: Kauf 0,2 BTC/USDT zu 64.250,00", "Bisher ausgeführt: 0,2 von 0,5"],
        ),
        ("de-AT", ["Order teilweise ausgeführt: Kauf 0,2 BTC/USDT zu 64.250,00"]),
        ("de-US", ["Order teilweise ausgeführt: Kauf 0,2 BTC/USDT zu 64.250,00"]),
        ("zh", ["订单部分成交：买入 0.2 BTC/USDT，成交价 64,250.00", "已成交 0.2 / 0.5"]),
        ("zh-CN", ["订单部分成交：买入 0.2 BTC/USDT，成交价 64,250.00"]),
        ("en", ["BUY 0.2 BTC/USDT partly filled at 64,250.00"]),
        ("en-IN", ["BUY 0.2 BTC/USDT partly filled at 64,250.00"]),
        ("zh-TW", ["BUY 0.2 BTC/USDT partly filled at 64,250.00"]),
        ("it-IT", ["BUY 0.2 BTC/USDT partly filled at 64,250.00"]),
        ("klingon", ["BUY 0.2 BTC/USDT partly filled at 64,250.00"]),
        ("", ["BUY 0.2 BTC/USDT partly filled at 64,250.00"]),
    ],
)
def test_a_message_is_in_the_persons_language_or_in_english(locale: str, said: list[str]) -> None:
    assert lines(locale, "ORDER_FILLED", ORDER)[: len(said)] == said


def test_a_locale_without_wordings_gets_the_very_message_of_english() -> None:
    for locale in ("it-IT", "zh-Hant-HK", "xx", "../../etc", "d" * 500):
        for channel in SHOWN:
            assert said(locale, "ORDER_FILLED", FULL, channel) == said("en", "ORDER_FILLED", FULL, channel)


def test_a_type_of_the_producers_own_keeps_its_words() -> None:
    assert lines("de", "norm.swap_demand", {"shift": "night", "status": "open"}) == [
        "Swap demand",
        "Shift: night",
        "Status: Offen",
    ]
    assert lines("zh", "order.amended", ORDER)[0] == "Order amended：买入 0.5 BTC/USDT"


@pytest.mark.parametrize("value", ["ICEBERG", "BUY_OPEN", "VaR", "Kaufen"])
def test_a_word_without_a_fixed_meaning_is_the_producers(value: str) -> None:
    assert value in lines("de", "ORDER_PLACED", ORDER | {"side": value})[0]


@pytest.mark.parametrize(("count", "shown"), [("1", "bei 1 Trade"), ("1218", "bei 1.218 Trades")])
def test_a_number_has_the_form_of_the_word_that_fits_it(count: str, shown: str) -> None:
    assert lines("de", "BACKTEST_COMPLETED", {"total_pnl": "5", "total_trades": count})[0].endswith(shown)


@pytest.fixture
def with_an_english_wording(tmp_path: Path) -> Iterator[Channel]:
    """A channel with a wording that nobody has translated."""
    (tmp_path / "wording").mkdir()
    (tmp_path / "wording" / "margin_call.slack.txt").write_text(
        'Margin call\n{{ payload.margin|phrase:"%s due"|default:"nothing" }} {{ payload.price|number }}\n'
    )
    spec = ChannelSpec(channel=Channel.SLACK, label="x", position=90, templates=tmp_path, fit=Fit())
    with registry.registered(spec):
        yield Channel.SLACK


def test_a_wording_without_a_translation_makes_the_whole_message_english(
    with_an_english_wording: Channel,
) -> None:
    message = said("de-CH", "MARGIN_CALL", {"price": "64250.5"}, with_an_english_wording)
    assert message.title == "Margin call"
    assert message.text == "nothing 64,250.5\n\nYou may have received this already."


@pytest.mark.parametrize("text", ["订单" * 5_000, "🚨" * 5_000, "强平警告。" * 1_500 + "👨‍👩‍👧‍👦" * 300])
def test_long_chinese_is_cut_by_utf_16_units(text: str) -> None:
    for channel in SHOWN:
        message = said("zh", "RISK_ALERT", {"risk_type": text, "description": text}, channel)
        assert_presentable(message, channel)
        assert units(message.title) <= 150
    assert "个字符" in said("zh", "RISK_ALERT", {"description": text}, Channel.TELEGRAM).text


def test_a_subject_in_chinese_survives_its_encoding() -> None:
    title = said("zh", "ORDER_FILLED", ORDER, Channel.EMAIL).title
    raw = EmailMessage(title, "x", "a@example.org", ["b@example.org"]).message().as_bytes()
    assert title == "【紧急】订单部分成交：买入 0.2 BTC/USDT，成交价 64,250.00"
    assert str(make_header(decode_header(message_from_bytes(raw)["Subject"]))) == title
    assert max(map(len, raw.splitlines())) <= 78


def test_a_mail_says_in_which_language_it_is() -> None:
    for locale, tag in (("de-CH", "de-CH"), ("zh", "zh"), ("en", "en"), ("it", "en")):
        assert f'<html lang="{tag}">' in said(locale, "ORDER_FILLED", ORDER, Channel.EMAIL).html


def test_a_producers_own_title_is_in_its_words_and_the_rest_is_not() -> None:
    from notifications.words import Words

    content = Content("e1", "promo.week", Priority.NORMAL, AT_MS, {"side": "buy"}, "UTC", locale="de")
    message = render(
        content._replace(words=Words(title="Hello")), Channel.EMAIL, key="k", possible_duplicate=True
    )
    assert message.title == "Hello"
    assert "Möglicherweise haben Sie diese Nachricht bereits erhalten." in message.text
