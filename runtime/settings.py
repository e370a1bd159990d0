"""Settings as frozen dataclasses at their owner, read from the environment and documented from one text."""

from dataclasses import field, fields
from typing import Any

PREFIX = "TOCSIN_"


def setting(default: Any, text: str, *, tuning: bool = False) -> Any:
    """Return a dataclass field. `text` says what it bounds, with the unit in the field's name.

    `tuning`: operators rarely need it; tests and unusual machines do.
    """
    return field(default=default, metadata={"text": text, "tuning": tuning})


def variable(name: str) -> str:
    """Return the environment variable that overrides the setting `name`."""
    return PREFIX + name.upper()


def table(*owners: type, tuning: bool) -> str:
    """Return the rows of these classes' settings as a Markdown table, in the order of the classes."""
    rows = [
        f"| `{variable(one.name)}` | {one.default:,} | {one.metadata['text']} |"
        for owner in owners
        for one in fields(owner)
        if one.metadata["tuning"] is tuning
    ]
    return "\n".join(["| name | default | what |", "| --- | --- | --- |", *rows])
