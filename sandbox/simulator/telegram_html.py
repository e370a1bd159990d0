"""Telegram's HTML subset, refused in the same cases and with the same texts as Telegram.

Follows `parse_html` of TDLib's MessageEntity.cpp; rules: https://core.telegram.org/bots/api#html-style
"""

import re
from typing import Any

Entity = dict[str, Any]

ENTITY_TYPES = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "code": "code",
    "pre": "pre",
    "a": "text_link",
    "blockquote": "blockquote",
    "tg-spoiler": "spoiler",
    "span": "spoiler",
    "tg-emoji": "custom_emoji",
}
_NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
_SPECIAL = re.compile(r"[<&]")
_REFERENCE = re.compile(r"&(?:#x([0-9a-fA-F]+)|#([0-9]+)|([a-zA-Z]+));?")
_MAX_REFERENCE = 9  # characters, without the semicolon
_OPENING = re.compile(r"<([^\s>]*)\s*")
_CLOSING = re.compile(r"</([^\s>]*)\s*")
_ATTRIBUTE_NAME = re.compile(r"([^\s=>/\"']*)\s*(=?)\s*")
_QUOTED = re.compile(r"\"([^\"]*)\"\s*|'([^']*)'\s*")
_TOKEN = re.compile(r"([A-Za-z0-9.-]*)(?=[\s>])\s*")


class CannotParse(ValueError):
    """The text is not Telegram HTML; the message is Telegram's description of the error."""


def utf16_length(text: str) -> int:
    """Return the length in UTF-16 code units, which is how Telegram counts."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def parse_html(source: str) -> tuple[str, list[Entity]]:
    """Return the plain text and its entities, offsets in UTF-16 units. Raises: CannotParse."""
    scan = _Scan(source)
    position = 0
    while (mark := _SPECIAL.search(source, position)) is not None:
        start = mark.start()
        scan.add(source[position:start])
        if source[start] == "&":
            position = scan.reference(start)
        elif source.startswith("</", start):
            position = scan.close(start)
        else:
            position = scan.open(start)
    scan.add(source[position:])
    return scan.result()


class _Scan:
    """The text read so far, and the open tags."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._parts: list[str] = []
        self._length = 0
        self._open: list[tuple[str, dict[str, str], int, int]] = []
        self._entities: list[Entity] = []

    def add(self, text: str) -> None:
        if text:
            self._parts.append(text)
            self._length += utf16_length(text)

    def reference(self, start: int) -> int:
        """Decode `&lt;` and the like; references that Telegram does not know stay unchanged."""
        found = _REFERENCE.match(self._source, start)
        character = _decode(found) if found else None
        if found is None or character is None:
            self.add("&")
            return start + 1
        self.add(character)
        return found.end()

    def open(self, start: int) -> int:
        found = _OPENING.match(self._source, start)
        assert found is not None
        name, position = found[1].lower(), found.end()
        if position == len(self._source):
            raise self._error("Unclosed start tag", start)
        if name not in ENTITY_TYPES:
            raise self._error(f'Unsupported start tag "{name}"', start)
        attributes: dict[str, str] = {}
        while self._source[position] != ">":
            position = self._attribute(start, position, name, attributes)
        if name == "span" and attributes.get("class") != "tg-spoiler":
            raise self._error('Tag "span" must have class "tg-spoiler"', start)
        self._open.append((name, attributes, self._length, len(self._parts)))
        return position + 1

    def _attribute(self, start: int, position: int, tag: str, attributes: dict[str, str]) -> int:
        head = _ATTRIBUTE_NAME.match(self._source, position)
        assert head is not None
        if not head[1]:
            raise self._error(f'Empty attribute name in the tag "{tag}"', start)
        position = head.end()
        value = ""
        if head[2]:
            value, position = self._value(start, position)
        if position >= len(self._source):
            raise self._error("Unclosed start tag", start)
        attributes[head[1].lower()] = value
        return position

    def _value(self, start: int, position: int) -> tuple[str, int]:
        if position >= len(self._source):
            raise self._error("Unclosed start tag", start)
        if self._source[position] in "\"'":
            quoted = _QUOTED.match(self._source, position)
            if quoted is None:
                raise self._error("Unclosed start tag", start)
            raw = quoted[1] if quoted[1] is not None else quoted[2]
            return _REFERENCE.sub(lambda found: _decode(found) or found[0], raw), quoted.end()
        token = _TOKEN.match(self._source, position)
        if token is None:
            raise self._error("Unexpected end of name token", position)
        return token[1].lower(), token.end()

    def close(self, start: int) -> int:
        if not self._open:
            raise self._error("Unexpected end tag", start)
        found = _CLOSING.match(self._source, start)
        assert found is not None
        if not self._source.startswith(">", found.end()):
            raise self._error("Unclosed end tag", start)
        name, attributes, offset, first_part = self._open.pop()
        closing = found[1].lower()
        if closing and closing != name:
            raise self._error(f'Unmatched end tag, expected "</{name}>", found "</{closing}>"', start)
        if self._length > offset:
            self._end_entity(name, attributes, offset, first_part)
        return found.end() + 1

    def _end_entity(self, name: str, attributes: dict[str, str], offset: int, first_part: int) -> None:
        entity: Entity = {"type": ENTITY_TYPES[name], "offset": offset, "length": self._length - offset}
        if name == "a":
            url = attributes.get("href") or "".join(self._parts[first_part:])
            if not _is_link(url):
                return  # Telegram shows the text without the link
            entity["url"] = url
        elif name == "blockquote" and "expandable" in attributes:
            entity["type"] = "expandable_blockquote"
        elif name == "tg-emoji":
            entity["custom_emoji_id"] = attributes.get("emoji-id", "")
        self._entities.append(entity)

    def result(self) -> tuple[str, list[Entity]]:
        if self._open:
            tag = self._open[-1][0]
            raise CannotParse(f'Can\'t find end tag corresponding to start tag "{tag}"')
        self._entities.sort(key=lambda entity: (entity["offset"], -entity["length"]))
        return "".join(self._parts), self._entities

    def _error(self, problem: str, position: int) -> CannotParse:
        at = len(self._source[:position].encode("utf-8", "surrogatepass"))
        where, comma, rest = problem.partition(", ")
        return CannotParse(f"{where} at byte offset {at}{comma}{rest}")


def _is_link(url: str) -> bool:
    return ("." in url or ":" in url) and not any(character.isspace() for character in url)


def _decode(found: re.Match[str]) -> str | None:
    if found[3] is not None:
        return _NAMED.get(found[3])
    if len(found[0].rstrip(";")) > _MAX_REFERENCE:
        return None
    code = int(found[1], 16) if found[1] is not None else int(found[2])
    # A surrogate is no character and Telegram's text is UTF-8.
    return chr(code) if 0 < code < 0x10FFFF and not 0xD800 <= code <= 0xDFFF else None
