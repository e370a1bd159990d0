"""A column for JSON that people read: the keys of its objects keep the order in which they were sent."""

from typing import Any, TypeVar

from django.db import models
from psycopg.types.json import Json

Value = TypeVar("Value")


class OrderedJSONField(models.JSONField[Value, Value]):
    """Postgres' `json`, which keeps the text; `jsonb` sorts keys by their length. It cannot be searched."""

    def db_type(self, connection: Any) -> str:
        return "json"

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        return None if value is None else Json(value)

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        return value  # psycopg has parsed it
