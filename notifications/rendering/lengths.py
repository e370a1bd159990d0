"""Fitting texts to a length: between characters as people see them, and never without saying so."""

import re
from collections.abc import Iterator

from notifications.rendering.conventions.numbers import decimal
from notifications.rendering.graphemes import boundary, next_boundary
from notifications.rendering.locales import ngettext

_ELLIPSIS = "…"
_SAID_FROM = 80  # shorter texts have no room for a sentence about what is missing
_HTML_TOKEN = re.compile(r"<(?P<close>/?)(?P<tag>[a-z]+)[^>]*>|&#?\w+;|[^<&]+|.", re.DOTALL)


def shorten(text: str, limit: int) -> str:
    """Cut to at most `limit` characters. Long texts keep both ends: an error's name is often the last word.

    Example: `Order 1 failed … [2,262 characters left out] … InsufficientMargin`
    """
    if len(text) <= limit:
        return text
    if limit < _SAID_FROM:
        return text[: boundary(text, limit - 1)].rstrip() + _ELLIPSIS
    room = limit - len(gap(len(text)))
    start = text[: boundary(text, room // 2)].rstrip()
    end = text[next_boundary(text, len(text) - (room - room // 2)) :].lstrip()
    return start + gap(len(text) - len(start) - len(end)) + end


def gap(count: int) -> str:
    """Return the remark that so many characters are missing."""
    left_out = ngettext("%(count)s character left out", "%(count)s characters left out", count)
    return f" {_ELLIPSIS} [{left_out % {'count': decimal('', str(count))}}] {_ELLIPSIS} "


def units(text: str) -> int:
    """Return the length in UTF-16 code units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def cut_text(text: str, limit: int) -> str:
    """Cut to at most `limit` UTF-16 units, with an ellipsis."""
    return text if units(text) <= limit else text[: _room(text, limit - 1)].rstrip() + _ELLIPSIS


def _room(text: str, limit: int) -> int:
    """Return how many characters of `text` fit into `limit` UTF-16 units."""
    whole = text.encode("utf-16-le")[: 2 * max(0, limit)].decode("utf-16-le", errors="ignore")
    return boundary(text, len(whole))


def cut_html(html: str, limit: int) -> str:
    """Cut markup to at most `limit` UTF-16 units, between tags and entities, and close the open tags."""
    if units(html) <= limit:
        return html
    kept: list[str] = []
    still_open: list[str] = []
    used = 1  # the ellipsis
    for token, after in _tokens(html):
        room = limit - used - sum(len(tag) + 3 for tag in after)
        if units(token) > room:
            if token[0] not in "<&":
                kept.append(token[: _room(token, room)])
            break
        used, still_open = used + units(token), after
        kept.append(token)
    return "".join(kept).rstrip() + _ELLIPSIS + "".join(f"</{tag}>" for tag in reversed(still_open))


def _tokens(html: str) -> Iterator[tuple[str, list[str]]]:
    """Split into tags, entities and text; with each, the tags that are open after it."""
    still_open: list[str] = []
    for token in _HTML_TOKEN.finditer(html):
        if token["tag"]:
            still_open = still_open[:-1] if token["close"] else [*still_open, token["tag"]]
        yield token[0], still_open
