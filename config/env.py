"""Typed readers of the environment. A missing or malformed value stops the start and is named."""

from dataclasses import fields
from pathlib import Path
from typing import TypeVar

import environ

from runtime.settings import variable

ROOT = Path(__file__).resolve().parent.parent

# FileAwareEnv also reads NAME_FILE, so that a secret can come from a mounted file.
env = environ.FileAwareEnv()


def home() -> Path:
    """Return the folder for all data of a development checkout (ignored by git)."""
    return Path(env.str("TOCSIN_HOME", default=str(ROOT / "var")))


T = TypeVar("T")


def read_settings(owner: type[T], **derived: float) -> T:
    """Return an owner's settings; `TOCSIN_<NAME>` overrides one, also one derived from other settings."""
    casts = {int: env.int, float: env.float}
    given = {
        one.name: casts[one.type](variable(one.name))  # type: ignore[index]
        for one in fields(owner)  # type: ignore[arg-type]
        if variable(one.name) in env.ENVIRON
    }
    return owner(**(derived | given))
