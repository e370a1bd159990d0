"""Typed readers of the environment. A missing or malformed value stops the start and is named."""

from dataclasses import fields
from pathlib import Path

import environ

from notifications.knobs import Knobs

ROOT = Path(__file__).resolve().parent.parent

# FileAwareEnv also reads NAME_FILE, so that a secret can come from a mounted file.
env = environ.FileAwareEnv()


def home() -> Path:
    """Return the folder for all data of a development checkout (ignored by git)."""
    return Path(env.str("TOCSIN_HOME", default=str(ROOT / "var")))


def knobs(**derived: float) -> Knobs:
    """Return the numbers of the domain. `TOCSIN_<NAME>` overrides one, including a derived one."""
    casts = {int: env.int, float: env.float}
    given = {
        field.name: casts[field.type](f"TOCSIN_{field.name.upper()}")  # type: ignore[index]
        for field in fields(Knobs)
        if f"TOCSIN_{field.name.upper()}" in env.ENVIRON
    }
    return Knobs(**(derived | given))  # type: ignore[arg-type]
