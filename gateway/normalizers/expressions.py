"""What a hook's options say of an event: texts with places of the input, such as `order-{data.id}`.

A text that is one place alone, `{data.id}`, has that place's value, whatever it is. `{data.note?}` may be
missing, and what is made of it alone is then left out. `{{` and `}}` are braces.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from gateway.codec.limits import InvalidEvent
from gateway.normalizers.base import not_understood

_TOKEN = re.compile(r"\{\{|\}\}|\{(?P<place>[^{}]*)\}|[{}]")
_STEP = re.compile(r"""\.?(?P<name>[A-Za-z_][\w-]*)|\[(?P<index>\d{1,4})\]|\["(?P<key>[^"]{1,200})"\]""")
_DEPTH = 16
_LENGTH = 2_000

MISSING = object()


class Expression(Protocol):
    def value(self, document: Any) -> Any:
        """Return the value, or `MISSING`. Raises: `InvalidEvent` if a place is missing that must not be."""


@dataclass(frozen=True, slots=True)
class Constant:
    constant: Any

    def value(self, document: Any) -> Any:
        return self.constant


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the input: the names and indices that lead to it."""

    written: str
    steps: tuple[str | int, ...]
    optional: bool

    def value(self, document: Any) -> Any:
        found = document
        for step in self.steps:
            found = _inside(found, step)
        if found is not None:
            return found
        if self.optional:
            return MISSING
        raise not_understood(f"There is no {self.written} in it.", self.written)


def _inside(value: Any, step: str | int) -> Any:
    if isinstance(step, str):
        return value.get(step) if isinstance(value, Mapping) else None
    return value[step] if isinstance(value, list) and step < len(value) else None


@dataclass(frozen=True, slots=True)
class Text:
    """A text made of constants and places."""

    parts: tuple[Expression, ...]

    def value(self, document: Any) -> Any:
        return "".join(self._text(part.value(document)) for part in self.parts)

    def _text(self, value: Any) -> str:
        if value is MISSING:
            return ""
        if isinstance(value, bool):
            return str(value).lower()
        if not isinstance(value, str | int | float):
            raise not_understood("A list or an object cannot stand in a text.")
        return str(value)


@dataclass(frozen=True, slots=True)
class Lookup:
    """One of some values, by what stands at a place."""

    of: Expression
    values: Mapping[str, Any]
    otherwise: Any

    def value(self, document: Any) -> Any:
        given = self.of.value(document)
        name = str(given).lower() if isinstance(given, bool) else "" if given is MISSING else str(given)
        found = self.values.get(name, self.otherwise)
        if found is MISSING:
            raise not_understood(f"The hook's options have no value for {name[:60]!r}.")
        return found


@dataclass(frozen=True, slots=True)
class Object:
    members: Mapping[str, Expression]

    def value(self, document: Any) -> Any:
        found = {name: member.value(document) for name, member in self.members.items()}
        return {name: value for name, value in found.items() if value is not MISSING}


@dataclass(frozen=True, slots=True)
class Items:
    items: tuple[Expression, ...]

    def value(self, document: Any) -> Any:
        found = (item.value(document) for item in self.items)
        return [value for value in found if value is not MISSING]


def compiled(given: Any, field: str, depth: int = 0) -> Expression:
    """Return what an option says. Raises: `InvalidEvent` with the name `field`."""
    if depth > _DEPTH:
        raise InvalidEvent("invalid_options", f"Nest at most {_DEPTH} levels.", field)
    if isinstance(given, str):
        return _text(given, field)
    if isinstance(given, Mapping):
        if {"from", "values"} <= given.keys() <= {"from", "values", "else"}:
            return _lookup(given, field)
        members = {name: compiled(one, f"{field}.{name}", depth + 1) for name, one in given.items()}
        return Object(members)
    if isinstance(given, list):
        return Items(
            tuple([compiled(one, f"{field}[{index}]", depth + 1) for index, one in enumerate(given)])
        )
    return Constant(given)


def _lookup(given: Mapping[str, Any], field: str) -> Lookup:
    values = given["values"]
    if not isinstance(values, Mapping):
        raise InvalidEvent("invalid_options", "Send an object of values.", f"{field}.values")
    return Lookup(compiled(given["from"], f"{field}.from"), values, given.get("else", MISSING))


def _text(given: str, field: str) -> Expression:
    if len(given) > _LENGTH:
        raise InvalidEvent("invalid_options", f"Send at most {_LENGTH} characters.", field)
    parts: list[Expression] = []
    end = 0
    for token in _TOKEN.finditer(given):
        if token.start() > end:
            parts.append(Constant(given[end : token.start()]))
        end = token.end()
        parts.append(_token(token, field))
    if end < len(given):
        parts.append(Constant(given[end:]))
    return parts[0] if len(parts) == 1 else Text(tuple(parts))


def _token(token: "re.Match[str]", field: str) -> Expression:
    if token["place"] is not None:
        return place(token["place"], field)
    if token[0] in {"{{", "}}"}:
        return Constant(token[0][0])
    raise InvalidEvent("invalid_options", "A single brace; for a brace in the text write {{ or }}.", field)


def place(written: str, field: str) -> Place:
    """Return a place as it is written: `data.items[0]["a key"]?`."""
    path = written.removesuffix("?")
    steps: list[str | int] = []
    end = 0
    while end < len(path):
        step = _STEP.match(path, end)
        if step is None or (end == 0 and path.startswith(".")):
            detail = f'{{{written[:60]}}} is no place: write such as {{data.items[0]["a key"]}}.'
            raise InvalidEvent("invalid_options", detail, field)
        steps.append(int(step["index"]) if step["index"] else step["name"] or step["key"])
        end = step.end()
    return Place(written, tuple(steps), optional=written.endswith("?"))
