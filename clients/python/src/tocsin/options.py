"""What a publisher needs to know, from its arguments or from the environment."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Union
from urllib.parse import urlsplit

from tocsin.journal.store import MEMORY
from tocsin.transports.base import Options

DEFAULT_JOURNAL = "default"
PathOrNone = Union[str, "os.PathLike[str]", None]


@dataclass(frozen=True)
class Target:
    """Where events go, and where they wait."""

    url: str
    options: Options
    journal: str


def target(
    url: str, *, key: str, source: str, journal: PathOrNone = DEFAULT_JOURNAL, timeout_s: float = 30.0
) -> Target:
    """Return the target; what is empty is TOCSIN_URL, TOCSIN_KEY, TOCSIN_SOURCE and TOCSIN_JOURNAL.

    Raises: ValueError without a URL.
    """
    url = url or os.environ.get("TOCSIN_URL", "")
    if not url:
        raise ValueError("Give the URL of Tocsin (http://…, https://… or redis://…), or set TOCSIN_URL.")
    options = Options(
        key=key or os.environ.get("TOCSIN_KEY", ""),
        source=source or os.environ.get("TOCSIN_SOURCE", ""),
        timeout_s=timeout_s,
    )
    return Target(url, options, _journal_path(journal, url, options))


def _journal_path(journal: PathOrNone, url: str, options: Options) -> str:
    if journal is None:
        return MEMORY
    if journal != DEFAULT_JOURNAL:
        return os.path.abspath(os.fspath(journal))
    given: Optional[str] = os.environ.get("TOCSIN_JOURNAL")
    if given:
        return given if given == MEMORY else os.path.abspath(given)
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return str(Path(state) / "tocsin" / f"{_digest(url, options)}.sqlite3")


def _digest(url: str, options: Options) -> str:
    """Return a name that is the same for the same service and source, whatever the secrets."""
    parts = urlsplit(url)
    key_prefix = "_".join(options.key.split("_")[:2])
    text = f"{parts.scheme}://{parts.hostname}:{parts.port}{parts.path}|{options.source}|{key_prefix}"
    return f"journal-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
