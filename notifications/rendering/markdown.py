"""Markdown-lite: bold, italic, code, links and lists. Everything else is text.

markdown-it-py parses it (CommonMark), with the rules of these constructs alone: headings, images, HTML,
quotations and bare URLs stay as they were written. Line breaks are kept.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import groupby

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock, list_block
from markdown_it.token import Token

from notifications.rendering.links import UnsafeLink, safe_url
from notifications.words import Block, Run

MAX_DEPTH = 6  # of lists in lists; deeper ones are text
_RULES = ("list", "fence", "newline", "escape", "emphasis", "backticks", "link", "image")
# Named after the opening marks of code, and left out. Any other word there is one of the producer's.
_LANGUAGES = re.compile(
    "bash|c|console|cpp|cs|css|csv|diff|go|graphql|html|http|ini|java|javascript|js|json|kotlin|log|lua|markdown|md"
    "|php|powershell|proto|protobuf|py|python|rb|ruby|rust|sh|shell|sql|swift|text|toml|ts|txt|typescript|xml|ya?ml"
    "|zsh",
    re.IGNORECASE,
)
_STYLES = {"strong": "bold", "em": "italic"}


def _shallow_list(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    # Two levels for a list. The parser would drop what is nested deeper than its own limit.
    return state.level < 2 * MAX_DEPTH and list_block(state, start, end, silent)


def _parser() -> MarkdownIt:
    parser = MarkdownIt("zero", {"maxNesting": 100}).enable(_RULES)
    alternatives = {"alt": ["paragraph", "reference", "blockquote"]}
    parser.block.ruler.at("list", _shallow_list, alternatives)  # type: ignore[arg-type]
    # Which URLs become links is decided later, by the list of the source.
    parser.validateLink = lambda url: True  # type: ignore[method-assign]
    parser.normalizeLink = lambda url: url  # type: ignore[method-assign]
    return parser


_PARSER = _parser()


@lru_cache(maxsize=64)  # one event is rendered for several channels, and for every follower of a topic
def parse(text: str) -> tuple[Block, ...]:
    """Return the blocks of a cleaned text. The URLs in it are not checked yet."""
    return tuple(_blocks(_PARSER.parse(text)))


def _blocks(tokens: Sequence[Token]) -> Iterator[Block]:
    """Flatten the tree of tokens: a list becomes blocks with a depth and a marker."""
    depth, marker, line = 0, "", 0
    for token in tokens:
        apart = bool(token.map) and token.map[0] > line  # type: ignore[index]
        match token.type:
            case "bullet_list_open" | "ordered_list_open":
                if marker:
                    yield Block((), depth, marker, apart=False)  # an item that begins with a list
                    marker = ""
                depth += 1
            case "bullet_list_close" | "ordered_list_close":
                depth -= 1
            case "list_item_open":
                marker = f"{token.info}{token.markup}" if token.info else "•"
            case "list_item_close" if marker:
                yield Block((), depth, marker, apart=False)  # an empty item
                marker = ""
            case "inline":
                yield Block(_merged(_runs(token.children or [])), depth, marker, apart=apart)
                marker = ""
            case "fence":
                yield Block((Run(_code(token)),), depth, marker, code=True, apart=apart)
                marker = ""
        if token.type in {"inline", "fence"} and token.map:
            line = token.map[1]


def _code(token: Token) -> str:
    """Return the lines of a fence, without the name of the language if there are any."""
    code, info = token.content.removesuffix("\n"), token.info.strip()
    return f"{info}\n{code}".strip("\n") if info and (not code or not _LANGUAGES.fullmatch(info)) else code


def _runs(tokens: Sequence[Token]) -> Iterator[Run]:
    style = Run("")
    for token in tokens:
        name = token.type.removesuffix("_open").removesuffix("_close")
        if name in _STYLES:
            style = replace(style, **{_STYLES[name]: token.nesting > 0})  # type: ignore[arg-type]
        elif name == "link":
            style = replace(style, url=str(token.attrs["href"]) if token.nesting > 0 else "")
        else:
            yield replace(style, text=_text(token), code=token.type == "code_inline")


def _text(token: Token) -> str:
    if token.type in {"softbreak", "hardbreak"}:
        return "\n"
    if token.type == "image":  # as it was written
        title = f' "{token.attrs["title"]}"' if "title" in token.attrs else ""
        return f"![{token.content}]({token.attrs['src']}{title})"
    return token.content


def _merged(runs: Iterable[Run]) -> tuple[Run, ...]:
    """Join neighbours of one style."""
    groups = groupby(runs, key=lambda run: replace(run, text=""))
    merged = (replace(style, text="".join(run.text for run in group)) for style, group in groups)
    return tuple(run for run in merged if run.text)


def resolve(blocks: Iterable[Block], hosts: Sequence[str]) -> tuple[tuple[Block, ...], list[str]]:
    """Keep the links that the source may use, and show the others as text. Return also why they are text."""
    refused: list[str] = []
    resolved = [replace(block, runs=tuple(_resolved(block.runs, hosts, refused))) for block in blocks]
    return tuple(resolved), refused


def _resolved(runs: tuple[Run, ...], hosts: Sequence[str], refused: list[str]) -> Iterator[Run]:
    for url, group in groupby(runs, key=lambda run: run.url):
        linked = list(group)
        try:
            safe = safe_url(url, hosts) if url else ""
        except UnsafeLink as error:
            refused.append(error.reason)
            yield from (replace(run, url="") for run in linked)
            if "".join(run.text for run in linked) != url:
                yield Run(f" ({url})")
        else:
            yield from (replace(run, url=safe) for run in linked)
