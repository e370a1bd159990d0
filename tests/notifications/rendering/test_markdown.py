"""Markdown-lite: what is markup, and what stays as it was written."""

import pytest

from notifications.rendering.blocks import shorten_blocks
from notifications.rendering.markdown import MAX_DEPTH, parse, resolve
from notifications.words import Block, Run, plain_text

HOSTS = ("docs.example.com",)
URL = "https://docs.example.com/a"


def runs(text: str) -> tuple[Run, ...]:
    (block,) = parse(text)
    return block.runs


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("**a**", [Run("a", bold=True)]),
        ("__a__", [Run("a", bold=True)]),
        ("*a*", [Run("a", italic=True)]),
        ("_a_ b", [Run("a", italic=True), Run(" b")]),
        ("***a***", [Run("a", bold=True, italic=True)]),
        ("`a*b*`", [Run("a*b*", code=True)]),
        (f"[a]({URL})", [Run("a", url=URL)]),
        (f"[a **b**]({URL})", [Run("a ", url=URL), Run("b", bold=True, url=URL)]),
        ("one\ntwo", [Run("one\ntwo")]),
        ("one  \ntwo\\\nthree", [Run("one\ntwo\nthree")]),
        (r"\*a\* \[b\]", [Run("*a* [b]")]),
    ],
)
def test_markup(text: str, expected: list[Run]) -> None:
    assert list(runs(text)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "BTC_USDT_PERP and ETH_USDT",
        "2 * 3 * 4",
        "# Heading",
        "Heading\n---",
        "> quote",
        "| a | b |\n|---|---|",
        "<b>html</b> <!-- x -->",
        "&lt;b&gt; &copy;",
        "<https://docs.example.com>",
        "https://docs.example.com",
        "mail@example.com",
        "![alt](https://docs.example.com/a.png)",
        '![alt](https://docs.example.com/a.png "t")',
        "[a]: https://docs.example.com\n[a]",
        "[a] (https://docs.example.com)",
        "~~a~~ ^b^ ==c==",
        "C:\\Temp\\x",
        "{{ x }} {% y %}",
        "-5 +5 *",
    ],
)
def test_everything_else_is_text(text: str) -> None:
    assert plain_text(parse(text)) == text
    assert not any(
        run.url or run.bold or run.italic or run.code for block in parse(text) for run in block.runs
    )


def test_lists_and_code_are_blocks() -> None:
    blocks = parse("Steps:\n1. one\n2. two\n   - inner\n\n     more\n\n```sh\nls <b>\n  -l\n```\nEnd")

    assert [(block.depth, block.marker, block.code, block.text) for block in blocks] == [
        (0, "", False, "Steps:"),
        (1, "1.", False, "one"),
        (1, "2.", False, "two"),
        (2, "•", False, "inner"),
        (2, "", False, "more"),
        (0, "", True, "ls <b>\n  -l"),
        (0, "", False, "End"),
    ]
    assert plain_text(blocks) == "Steps:\n1. one\n2. two\n  • inner\n\n    more\n\nls <b>\n  -l\nEnd"


@pytest.mark.parametrize("text", ["2025. A good year", "3) third", "7. a\n8. b"])
def test_numbers_of_a_list_stay(text: str) -> None:
    assert plain_text(parse(text)) == text


@pytest.mark.parametrize("text", ["- ", "- - - a", "- a\n-\n- b", "1.\n2. x"])
def test_an_item_without_text_keeps_its_marker(text: str) -> None:
    shown = plain_text(parse(text))

    assert shown.count("•") == text.count("-")
    assert all(digit in shown for digit in text if digit.isdigit())


def test_lists_deeper_than_the_limit_are_text() -> None:
    blocks = parse("- " * 40 + "a")

    assert max(block.depth for block in blocks) == MAX_DEPTH
    assert plain_text(blocks).count("•") + plain_text(blocks).count("-") == 40
    assert plain_text(blocks).endswith("a")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[a](https://evil.example/)", "a (https://evil.example/)"),
        ("[a](javascript:alert(1))", "a (javascript:alert(1))"),
        ("[a](<data:text/html,x y>)", "a (data:text/html,x y)"),
        ("[**a** b](/relative)", "a b (/relative)"),
        ("[https://evil.example](https://evil.example)", "https://evil.example"),
        ("[a](&#106;avascript:x)", "a (javascript:x)"),
        ("[a]()", "a"),
    ],
)
def test_a_link_that_the_source_may_not_use_is_text(text: str, shown: str) -> None:
    blocks, refused = resolve(parse(text), HOSTS)

    assert plain_text(blocks) == shown
    assert not any(run.url for block in blocks for run in block.runs)
    assert bool(refused) == ("()" not in text)


def test_a_link_on_the_list_is_a_link_and_its_url_is_text_in_plain_text() -> None:
    blocks, refused = resolve(parse(f"See [the **notes**]({URL}), [x](https://evil.example)."), HOSTS)

    assert [run.url for run in blocks[0].runs if run.url] == [URL, URL]
    assert plain_text(blocks) == f"See the notes ({URL}), x (https://evil.example)."
    assert refused == ["evil.example is not among the link hosts of the source"]


@pytest.mark.parametrize("limit", [80, 100, 500, 1_000])
def test_long_words_lose_their_middle_and_say_how_much(limit: int) -> None:
    blocks = parse("**First** " + "word " * 400 + "\n\n- item\n" * 50 + "\n\nThe `LastWord`")
    shorter = shorten_blocks(blocks, limit)

    shown = plain_text(shorter)
    assert len(shown) <= limit + 10
    assert "characters left out] …" in shown
    assert shown.startswith("First ")
    assert shown.endswith("The LastWord")
    assert shorter[0].runs[0] == Run("First", bold=True)
    assert shorter[-1].runs[-1] == Run("LastWord", code=True)


def test_short_words_stay_as_they_are() -> None:
    blocks = (Block((Run("a" * 100),)),)

    assert shorten_blocks(blocks, 100) is blocks
