"""Telegram's HTML subset: what it reads, and what it refuses in which words."""

import pytest

from sandbox.simulator.telegram_html import CannotParse, parse_html


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("plain", "plain"),
        ("1 &lt; 2 &gt; 0 &amp; &quot;q&quot;", '1 < 2 > 0 & "q"'),
        ("&#60;b&#x3e; &#128512;", "<b> 😀"),
        ("&lt without semicolon", "< without semicolon"),
        ("AT&T &nbsp; &copy; & &; &#0; &#x110000;", "AT&T &nbsp; &copy; & &; &#0; &#x110000;"),
        ("<B>x</b> <STRONG>y</>", "x y"),
        ("<pre><code class='language-python'>x = 1</code></pre>", "x = 1"),
        ("a > b", "a > b"),
        ("<s>a<strike>b</strike><del>c</del></s>", "abc"),
    ],
)
def test_text_is_what_a_reader_sees(source, text):
    assert parse_html(source)[0] == text


@pytest.mark.parametrize(
    ("source", "entities"),
    [
        ("<b>a<i>b</i></b>", [("bold", 0, 2), ("italic", 1, 1)]),
        ("😀<u>x</u>", [("underline", 2, 1)]),
        ("<code>😀</code>", [("code", 0, 2)]),
        ("<tg-spoiler>a</tg-spoiler><span class=tg-spoiler>b</span>", [("spoiler", 0, 1), ("spoiler", 1, 1)]),
        ("<blockquote expandable>q</blockquote>", [("expandable_blockquote", 0, 1)]),
        ("<blockquote>q</blockquote>", [("blockquote", 0, 1)]),
        ("<b></b>x", []),
        ("<a href='javascript'>x</a>", []),
    ],
)
def test_entities_are_counted_in_utf16_units(source, entities):
    found = parse_html(source)[1]
    assert [(entity["type"], entity["offset"], entity["length"]) for entity in found] == entities


def test_link_keeps_its_decoded_address():
    [entity] = parse_html('<a href="https://x.test/?a=1&amp;b=&gt;2">x</a>')[1]
    assert entity["url"] == "https://x.test/?a=1&b=>2"


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("<b>x", 'Can\'t find end tag corresponding to start tag "b"'),
        ("x</b>", "Unexpected end tag at byte offset 1"),
        ("<b>ä</i>", 'Unmatched end tag at byte offset 5, expected "</b>", found "</i>"'),
        ("<b><i>x</b></i>", 'Unmatched end tag at byte offset 7, expected "</i>", found "</b>"'),
        ("<div>x</div>", 'Unsupported start tag "div" at byte offset 0'),
        ("a<br/>b", 'Unsupported start tag "br/" at byte offset 1'),
        ("1 < 2", 'Unsupported start tag "" at byte offset 2'),
        ("1 <2>", 'Unsupported start tag "2" at byte offset 2'),
        ("<!-- c -->", 'Unsupported start tag "!--" at byte offset 0'),
        ("x <", "Unclosed start tag at byte offset 2"),
        ("<b", "Unclosed start tag at byte offset 0"),
        ('<a href="x', "Unclosed start tag at byte offset 0"),
        ("<a href=", "Unclosed start tag at byte offset 0"),
        ("<b>x</b", "Unclosed end tag at byte offset 4"),
        ("<a href=x_y>z</a>", "Unexpected end of name token at byte offset 8"),
        ('<a ="x">z</a>', 'Empty attribute name in the tag "a" at byte offset 0'),
        ("<span>x</span>", 'Tag "span" must have class "tg-spoiler" at byte offset 0'),
        ("<script>alert(1)</script>", 'Unsupported start tag "script" at byte offset 0'),
    ],
)
def test_what_is_not_telegram_html_is_refused_with_the_reason(source, problem):
    with pytest.raises(CannotParse) as caught:
        parse_html(source)
    assert str(caught.value) == problem


def test_api_says_why_it_cannot_parse(sandbox):
    answer = sandbox.api("sendMessage", chat_id=1, text="<b>x", parse_mode="html")
    assert answer.json() == {
        "ok": False,
        "error_code": 400,
        "description": "Bad Request: can't parse entities: "
        'Can\'t find end tag corresponding to start tag "b"',
    }


def test_outer_space_is_trimmed_and_entities_move_along(sandbox):
    answer = sandbox.api("sendMessage", chat_id=1, text="\n <b> x</b> <i>y</i> <u> </u>", parse_mode="HTML")
    result = answer.json()["result"]
    assert result["text"] == "x y"
    assert [(e["type"], e["offset"], e["length"]) for e in result["entities"]] == [
        ("bold", 0, 1),
        ("italic", 2, 1),
    ]
