"""Stored templates reach nothing but the message, and none holds a process for long."""

import contextlib
import time
from datetime import UTC
from typing import Any

import pytest

from notifications.rendering import sandbox_tags
from notifications.rendering.bounds import MAX_CPU_S, MAX_OUTPUT_CHARS, MAX_TURNS, Budget, TemplateFailed
from notifications.rendering.payload import Payload, View
from notifications.rendering.sandbox import MAX_LINE_CHARS, MAX_SOURCE_CHARS, InvalidTemplate, compile_source

ORDER: dict[str, Any] = {
    "symbol": "BTC/USDT",
    "price": "64300.00",
    "quantity": 2,
    "note": "<b>hi</b> %s%s",
    "leg": {"venue": "bybit"},
    "legs": [{"symbol": "BTC", "qty": 1}, {"symbol": "ETH", "qty": 2}],
    "tags": ["a", "b"],
    "long": "x" * 50_000,
    "many": list(range(1_000)),
    "__class__": "a field",
}


def fill(source: str, payload: dict[str, Any] | None = None, cpu_s: float = 5.0) -> str:
    view = Payload(ORDER if payload is None else payload, View(UTC))
    values = {"name": "Order filled", "payload": view, "fields": lambda: view.fields(12)}
    return compile_source(source).fill(values, Budget(cpu_s))


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ payload.symbol }} {{ payload.price|number|phrase:'at %s' }}", "BTC/USDT at 64,300.00"),
        ("{{ name }}{{ payload.nothing|phrase:' %s' }}", "Order filled"),
        ("{{ payload.leg.venue }} {{ payload.leg }}", "bybit venue bybit"),
        ("{% if payload.nothing %}a{% elif payload.symbol == 'BTC/USDT' %}b{% else %}c{% endif %}", "b"),
        ("{% for leg in payload.legs %}{{ forloop.counter }} {{ leg.symbol }};{% endfor %}", "1 BTC;2 ETH;"),
        ("{% for tag in payload.tags %}{{ tag }}{% if not forloop.last %},{% endif %}{% endfor %}", "a,b"),
        ("{% for one in payload.symbol %}[{{ one }}]{% endfor %}", "[BTC/USDT]"),
        ("{% for one in payload.nothing %}x{% empty %}none{% endfor %}", "none"),
        ("{% for field in fields %}{{ field.label }}|{% endfor %}", "Symbol|Price|"),
        ("{% with a=payload.symbol %}{{ a|lower }}{% endwith %}{# said #}", "btc/usdt"),
        ("{% firstof payload.nothing payload.symbol %}", "BTC/USDT"),
        ("{% if 'symbol' in payload and 'x' not in payload %}a{% endif %}", "a"),
        ("{% if payload.leg in payload or payload in payload.leg %}a{% else %}b{% endif %}", "b"),
        ("{{ payload.note }}", "<b>hi</b> %s%s"),  # text; the layout escapes it
    ],
)
def test_the_language_of_the_files(source: str, text: str) -> None:
    assert fill(source, ORDER if "fields" not in source else {"symbol": "a", "price": "b"}) == text


@pytest.mark.parametrize(
    "source",
    [
        "{{ payload.symbol.upper }}",
        "{{ payload.symbol.format }}",
        "{{ payload.items }}",
        "{{ payload.keys }}",
        "{{ payload.fields }}",
        "{{ payload.leg.venue.encode }}",
        "{{ name.join }}",
        "{{ fields.append }}",
        "{{ fields.0 }}",
        "{{ forloop.parentloop }}",
        "{{ nobody.home.here }}",
        "{{ True.real }}",
        "{{ request.user }}{{ settings.SECRET_KEY }}{{ block.super }}",
    ],
)
def test_a_name_reaches_no_attribute_and_no_method(source: str) -> None:
    assert fill(source) == ""


@pytest.mark.parametrize(
    ("source", "line", "reason"),
    [
        ("{{ payload.__class__ }}", 1, "underscore"),
        ("{{ payload._raw }}", 1, "underscore"),
        ("a\nb {{ _state }}", 2, "underscore"),
        ("{% debug %}", 1, "debug"),
        ("\n\n{% include 'layouts/email.html' %}", 3, "include"),
        ("{% extends 'admin/base.html' %}", 1, "extends"),
        ("{% load i18n %}", 1, "load"),
        ("{% cycle 'a' 'b' %}", 1, "cycle"),
        ("{% now 'Y' %}", 1, "now"),
        ("{% translate 'a' %}", 1, "translate"),
        ("{% url 'page' %}", 1, "url"),
        ("{% csrf_token %}", 1, "csrf_token"),
        ("{% autoescape off %}{% endautoescape %}", 1, "autoescape"),
        ("{% filter upper %}{% endfilter %}", 1, "filter"),
        ("{% widthratio 1 2 3 %}", 1, "widthratio"),
        ("{% lorem 100000 %}", 1, "lorem"),
        ("{{ _('a') }}", 1, "each language"),
        ("{{ payload.symbol|default:_('a') }}", 1, "each language"),
        ("{{ payload.symbol|safe }}", 1, "safe"),
        ("{{ payload.symbol|urlize }}", 1, "urlize"),
        ("{{ payload.symbol|ljust:999999999 }}", 1, "ljust"),
        ("{{ payload.symbol|center:999999999 }}", 1, "center"),
        ("{{ payload.price|floatformat:999999 }}", 1, "floatformat"),
        ("{{ payload.price|date:'Y' }}", 1, "date"),
        ("{{ payload.symbol|add:payload.symbol }}", 1, "add"),
        ("{{ payload.symbol|make_list }}", 1, "make_list"),
        ("{{ payload.symbol|pprint }}", 1, "pprint"),
        ("{{ payload.symbol|striptags }}", 1, "striptags"),
        ("{% for a in payload.legs|default:fields %}{% endfor %}", 1, "without filters"),
        ("{% for a, b in payload.legs %}{% endfor %}", 1, "Write"),
        ("{% for _a in payload.legs %}{% endfor %}", 1, "Write"),
        ("{% for a in 'abc' %}{% endfor %}", 1, "a name"),
        ("{% if payload.symbol %}", 1, "Unclosed"),
        ("{% if %}a{% endif %}", 1, ""),
        ("{{ }}", 1, "Empty"),
        ("{{ a b }}", 1, ""),
        ("{% if a %}" * 11 + "{% endif %}" * 11, 1, "deeper than 10"),
        ("{% if " + "not " * 480 + "a %}x{% endif %}", 0, ""),
        ("x" * (MAX_SOURCE_CHARS + 1), 0, "At most"),
        ("short\n" + "{" * (MAX_LINE_CHARS + 1), 2, "in a line"),
    ],
)
def test_what_is_no_template_says_where_and_why(source: str, line: int, reason: str) -> None:
    with pytest.raises(InvalidTemplate) as error:
        compile_source(source)
    assert reason in error.value.text
    assert line in {0, error.value.line}


LOOP = "{% for a in payload.tags %}"


@pytest.mark.parametrize(
    ("source", "kinds"),
    [
        (LOOP * 9 + "{% for b in payload.tens %}{{ b }}{% endfor %}" + "{% endfor %}" * 9, {"too_slow"}),
        ("{% for a in payload.many %}{{ a }}{% endfor %}", {"too_long"}),
        ("{% for a in payload.tens %}" + ("x" * 1_000 + "\n") * 9 + "{% endfor %}", {"too_long"}),
        ("{{ payload.big }}" * 50, {"too_long"}),
        ("{% with a=payload.note|phrase:payload.note %}" + "{{ a }}{% endwith %}", {""}),
        # doubles at every filter
        ("{% with a=payload.note %}{{ a" + "|phrase:'%s %s'|cut:'x'" * 80 + " }}{% endwith %}", {""}),
        ("{{ payload.big|upper" + "|lower|upper" * 150 + " }}", {"", "too_slow"}),
        (
            "{{ payload.big|truncatechars:99999" + "|cut:'y'|truncatechars:99999" * 60 + " }}",
            {"", "too_slow"},
        ),
        ("{% if payload.big|upper|lower|upper == 'a' %}{% endif %}\n" * 150, {"", "too_slow"}),
        ("{% for a in payload.many %}{% endfor %}", {"too_long"}),
    ],
)
def test_no_template_is_filled_without_end(source: str, kinds: set[str]) -> None:
    payload = ORDER | {"tags": ["a"] * 4, "tens": ["b"] * 100, "big": "x" * 60_000}
    started_s = time.thread_time()
    try:
        text = fill_whole(source, payload)
    except TemplateFailed as error:
        assert error.kind in kinds
    else:
        assert "" in kinds
        assert len(text) <= MAX_OUTPUT_CHARS
    assert time.thread_time() - started_s < MAX_CPU_S + 0.2


def fill_whole(source: str, payload: dict[str, Any]) -> str:
    """Fill as for e-mail, which shortens nothing."""
    view = Payload(payload, View(UTC, whole=True))
    compiled = compile_source(source)
    return compiled.fill({"payload": view, "fields": lambda: view.fields(1_000)}, Budget())


def test_a_value_that_doubles_with_every_step_ends_where_a_message_is_too_long() -> None:
    double = "{% with a=a|phrase:a %}"
    source = "{% with a=payload.twice %}" + double * 9 + "{{ a }}" + "{% endwith %}" * 10
    with pytest.raises(TemplateFailed, match="too_long"):
        fill_whole(source, {"twice": "%s" + "x" * 5_000})


def test_what_an_if_swallows_still_ends_the_message() -> None:
    source = "{% if payload.x|default:payload.x > 1 %}{% endif %}" + "{{ name }}" * 5
    budget = Budget(cpu_s=-1.0)
    with pytest.raises(TemplateFailed, match="too_slow"):
        compile_source(source).fill({"payload": {}}, budget)
    with pytest.raises(TemplateFailed, match="too_slow"):
        compile_source("no expression at all").fill({}, budget)


def test_a_failure_quotes_no_value() -> None:
    with pytest.raises(TemplateFailed) as error:
        fill("{{ payload.symbol|pairs:'x' }}", {"symbol": "a secret"})
    assert error.value.kind == "error"
    assert "secret" not in str(error.value)


def test_the_longest_loop_is_filled() -> None:
    text = fill("{% for a in payload.many %}{{ a }},{% endfor %}", {"many": list(range(MAX_TURNS))})
    assert text.count(",") == MAX_TURNS


@pytest.mark.parametrize("part", ["{%", "{{", "{#", "{{ a|", "{{ 'a\\", '{{ "'])
def test_no_source_takes_long_to_compile(part: str) -> None:
    started_s = time.thread_time()
    line = (part * MAX_LINE_CHARS)[: MAX_LINE_CHARS - 4]
    for end in ("", "%}", "}}"):
        with contextlib.suppress(InvalidTemplate):
            compile_source(f"{line}{end}\n" * (MAX_SOURCE_CHARS // MAX_LINE_CHARS))
    assert time.thread_time() - started_s < 1.0


def test_a_compiled_template_says_which_names_it_uses() -> None:
    names = compile_source("{% for a in payload.legs %}{{ a.symbol|default:payload.b.c }}{% endfor %}").names
    assert names == {("payload", "legs"), ("a", "symbol"), ("payload", "b", "c")}


ODD = [
    "''",
    "payload.long",
    "payload.digits",
    "payload.tiny",
    "payload.leg",
    "payload",
    "fields",
    "True",
    "-1",
]


@pytest.mark.parametrize("name", sorted(sandbox_tags.register.filters))
def test_every_filter_is_quick_over_whatever_it_gets(name: str) -> None:
    """A new filter is available to operators: its work is bounded by the length of its input."""
    payload = ORDER | {"long": "x%s" * 20_000, "digits": "9" * 60_000, "tiny": "1e-99"}
    view = Payload(payload, View(UTC, whole=True))
    tried = 0
    for value in ODD:
        for argument in ("", *(f":{odd}" for odd in ODD)):
            try:
                compiled = compile_source(f"{{{{ {value}|{name}{argument} }}}}")
            except InvalidTemplate:  # it takes no argument, or one
                continue
            started_s = time.thread_time()
            with contextlib.suppress(TemplateFailed):
                text = compiled.fill({"payload": view, "fields": lambda: view.fields(12)}, Budget(cpu_s=5.0))
                assert len(text) <= MAX_OUTPUT_CHARS
            assert time.thread_time() - started_s < 0.2, (value, argument)
            tried += 1
    assert tried >= len(ODD)
