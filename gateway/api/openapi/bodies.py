"""Bodies and parameters of calls, as the tables of fields that check them describe them."""

from collections.abc import Iterable
from typing import Any

from pydantic import WithJsonSchema

from gateway.codec.schema import Field, object_schema, properties


def body(name: str, fields: Iterable[Field], example: Any, *, required: bool = True) -> dict[str, Any]:
    """Return what a call takes: a JSON object with these fields. `name` is that of the schema."""
    return described(object_schema(fields, name), example, required=required)


def described(schema: dict[str, Any], example: Any, *, required: bool = True) -> dict[str, Any]:
    content = {"application/json": {"schema": schema, "example": example}}
    return {"requestBody": {"required": required, "content": content}}


def as_answer(schema: dict[str, Any]) -> WithJsonSchema:
    """Describe an answer that has the form of a body."""
    return WithJsonSchema(schema)


def query(fields: Iterable[Field]) -> dict[str, Any]:
    """Return the parameters that a call takes beside those in its signature."""
    return {
        "parameters": [
            {"in": "query", "name": name, "required": False, "schema": schema}
            for name, schema in properties(fields).items()
        ]
    }
