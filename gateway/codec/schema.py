"""Tables of fields: one table checks a JSON object and describes it in the OpenAPI document."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.codec.limits import InvalidEvent, check_integer, check_text

Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """What a field holds: its check, its JSON schema, and the value of a field that was not sent.

    `check(value, field)` returns the value to use, or raises `InvalidEvent` with the name `field`.
    """

    check: Callable[[Any, str], Any]
    schema: Mapping[str, Any]
    empty: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an object. `rule` is a check that involves the fields before it in the table."""

    name: str
    kind: Kind
    description: str
    required: bool = False
    rule: Callable[[Values], None] | None = None


def checked(fields: Iterable[Field], given: Mapping[str, Any]) -> Values:
    """Return the value of every field; null counts as not sent.

    Raises: `InvalidEvent` for the first fault.
    """
    values: Values = {}
    for field in fields:
        name = field.name
        value = given.get(name)
        values[name] = value = field.kind.empty() if value is None else field.kind.check(value, name)
        if field.required and not value:
            raise InvalidEvent("missing_field", f"{name} is required: {field.description}.", name)
        if field.rule is not None:
            field.rule(values)
    return values


def reject_unknown(given: Iterable[str], known: Iterable[str]) -> None:
    """Raise `InvalidEvent` if a name is given that is not known."""
    for name in given:
        if name not in known:
            detail = f"Remove this field; the known ones are {', '.join(known)}."
            raise InvalidEvent("unknown_field", detail, str(name)[:60])


def properties(fields: Iterable[Field]) -> dict[str, Any]:
    """Return the JSON schema of each field by its name."""
    return {field.name: _schema(field) | {"description": field.description} for field in fields}


def _schema(field: Field) -> dict[str, Any]:
    """Return the field's schema; unless it is required, null is allowed too, as "not sent"."""
    schema = dict(field.kind.schema)
    if not field.required and schema.get("type") == "object":
        return {"anyOf": [schema, {"type": "null"}]}
    if not field.required and "type" in schema:
        schema["type"] = [schema["type"], "null"]
    if not field.required and "enum" in schema:
        schema["enum"] = [*schema["enum"], None]
    return schema


def object_schema(fields: Iterable[Field], name: str = "") -> dict[str, Any]:
    """Return the JSON schema of an object with these fields and no others.

    With a name, the OpenAPI document describes the object once, under this name.
    """
    fields = tuple(fields)
    required = [field.name for field in fields if field.required]
    schema = {"type": "object", "additionalProperties": False, "properties": properties(fields)}
    return schema | ({"required": required} if required else {}) | ({"title": name} if name else {})


def text(longest: int = 200) -> Kind:
    """Text of at most `longest` bytes in UTF-8."""

    def check(value: Any, field: str) -> str:
        if not isinstance(value, str):
            raise InvalidEvent("not_a_string", "Send a string.", field)
        return check_text(value, field, longest=longest)

    return Kind(check, {"type": "string", "maxLength": longest}, str)


def integer(highest: int, lowest: int = 0) -> Kind:
    def check(value: Any, field: str) -> int:
        return check_integer(value, field, lowest=lowest, highest=highest)

    return Kind(check, {"type": "integer", "minimum": lowest, "maximum": highest}, int)
