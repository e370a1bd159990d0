"""What producers must not be able to do with the texts that they send."""

import re
from html import escape
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.web.samples import SAMPLES
from notifications.states import Channel, Priority
from tests.notifications.rendering.rendered_messages import (
    MORE_TYPES,
    SHOWN,
    Markup,
    assert_presentable,
    rendered,
)

INJECTIONS = [
    "{{ x }}",
    "{{ payload.symbol }}",
    "{% load static %}",
    "{% include 'layouts/email.html' %}",
    "{# note #}",
    "{{ 7|add:7 }}",
    "<script>alert(1)</script>",
    "<b>bold",
    "</b></i></pre>",
    "<a href='https://example.com'>x</a>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload="alert(1)">',
    "&amp;&lt;b&gt;",
    "&#60;b&#62;",
    "*_[`~|>#+-=.!",
    "[click](javascript:alert(1))",
    "javascript:alert(1)",
    "data:text/html;base64,PHNjcmlwdD4=",
    "<https://example.com|click>",
    "@everyone <@123> <!channel>",
    "tg://user?id=1",
    "%s %(x)s {0} ${x}",
    "BTC < 50 & ETH > 3",
    "'; DROP TABLE notifications_event; --",
]
LITERAL_FIELD = {
    "ORDER_FILLED": "symbol",
    "ALERT_TRIGGERED": "condition",
    "STRATEGY_LOG": "message",
    "norm.swap_demand": "memo",
}


@pytest.mark.parametrize("channel", list(Channel))
@pytest.mark.parametrize("event_type", LITERAL_FIELD)
@pytest.mark.parametrize("injection", INJECTIONS)
def test_payload_strings_are_shown_literally(injection: str, event_type: str, channel: Channel) -> None:
    payload = {LITERAL_FIELD[event_type]: injection, "fill_price": "1"}

    message = rendered(event_type, payload, channel)

    assert_presentable(message, channel)
    assert injection in f"{message.title}\n{message.text}"
    if message.html:
        assert injection in Markup(message.html).text
        assert escape(injection) in message.html


@pytest.mark.parametrize("channel", SHOWN)
def test_field_names_are_shown_literally(channel: Channel) -> None:
    message = rendered("norm.swap_demand", {"<b>{{ x }}": {"{% y %}": "1"}}, channel)

    assert_presentable(message, channel)
    assert "<b>{{ x }}.{% y %}: 1" in message.text


@pytest.mark.parametrize("channel", SHOWN)
def test_control_and_bidi_characters_are_stripped(channel: Channel) -> None:
    dirty = "a\x00\x1b[31m\u202eb\u2066\u200f\r\nSubject: c\x85d\ud800"

    message = rendered("ALERT_TRIGGERED", {"condition": dirty}, channel)

    assert_presentable(message, channel)
    assert message.title == "Alert: a[31mb Subject: c d"
    assert not re.search("[\x00\x1b\u202e\u2066\u200f\ud800]", message.html)


def test_line_ends_and_indents_of_a_message_are_kept_in_the_body() -> None:
    message = rendered("STRATEGY_LOG", {"message": "Traceback:\n    line 1\r\n\n\n\n\tline 2"})

    assert message.text == "Traceback:\n    line 1\n\n    line 2"


def test_text_is_not_escaped() -> None:
    assert rendered("ALERT_TRIGGERED", {"condition": "BTC < 50 & 'x'"}).title == "Alert: BTC < 50 & 'x'"


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=200),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=4),
    max_leaves=12,
)
KNOWN_FIELDS = sorted({name for sample in SAMPLES.values() for name in sample})


@given(
    event_type=st.sampled_from([*SAMPLES, *MORE_TYPES]) | st.text(max_size=40),
    payload=st.dictionaries(st.sampled_from(KNOWN_FIELDS) | st.text(max_size=30), JSON_VALUES, max_size=14),
    channel=st.sampled_from(list(Channel)),
    priority=st.sampled_from(list(Priority)),
    time_zone=st.sampled_from(["Asia/Kolkata", "Nowhere"]) | st.text(max_size=20),
    possible_duplicate=st.booleans(),
    locale=st.sampled_from(["en", "de", "de-CH", "zh", "en-IN", "ar"]) | st.text(max_size=16),
)
def test_no_json_payload_breaks_a_message(
    event_type: str,
    payload: dict[str, Any],
    channel: Channel,
    priority: Priority,
    time_zone: str,
    possible_duplicate: bool,
    locale: str,
) -> None:
    message = rendered(
        event_type,
        payload,
        channel,
        priority=priority,
        time_zone=time_zone,
        possible_duplicate=possible_duplicate,
        locale=locale,
    )

    assert_presentable(message, channel)
