"""Hosts that a source may link to: `docs.example.com`, `*.example.com` for all hosts below it, with a port
if it is not 443 (`grafana.example.com:3000`)."""

import re
from collections.abc import Iterable

from django.core.exceptions import ValidationError

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
# The last label has a letter: an IP address is no name, and Telegram refuses buttons to hosts without a dot.
_ENTRY = re.compile(rf"(?:\*\.)?(?:{_LABEL}\.)+(?=[0-9-]*[a-z]){_LABEL}(?::[1-9][0-9]{{0,4}})?")
LONGEST = 259  # a name of 253 characters, and a port


def validate_link_host(entry: str) -> None:
    if len(entry) > LONGEST or not _ENTRY.fullmatch(entry):
        detail = (
            "Use a host name in lower case such as docs.example.com, or *.example.com for all hosts below"
            " example.com; without https://, international names as xn--…."
        )
        raise ValidationError(detail, code="invalid_link_host")


def is_listed(host: str, entries: Iterable[str]) -> bool:
    """Return whether a host, with its port if that is not 443, is on a list."""
    return any(
        host.endswith(entry[1:]) if entry.startswith("*.") else host == entry.removesuffix(":443")
        for entry in entries
    )
