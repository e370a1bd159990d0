"""A readable name of a socket's device, from the `auth` frame or from the User-Agent."""

import re
from collections.abc import Mapping
from typing import Any

LONGEST = 80

# The first match counts: most browsers also name the browsers that they derive from.
_BROWSERS = {"Edg": "Edge", "OPR": "Opera", "Firefox": "Firefox", "Chrome": "Chrome", "Safari": "Safari"}
_SYSTEMS = {
    "Android": "Android",
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Windows": "Windows",
    "Mac OS X": "macOS",
    "CrOS": "ChromeOS",
    "Linux": "Linux",
}


def device_of(frame: Mapping[str, Any] | None, scope: Mapping[str, Any]) -> str:
    """Return at most 80 characters without control characters. The text is untrusted: escape it."""
    given = (frame or {}).get("device")
    if isinstance(given, str) and (named := _plain(given)):
        return named
    agents = [value.decode("latin-1") for name, value in scope["headers"] if name == b"user-agent"]
    return described(agents[0]) if agents else ""


def described(agent: str) -> str:
    """Return the browser and the system that a User-Agent names: "Firefox on Linux"."""
    browser = next((name for token, name in _BROWSERS.items() if f"{token}/" in agent), "")
    system = next((name for token, name in _SYSTEMS.items() if token in agent), "")
    if not browser:
        return _plain(agent)
    return f"{browser} on {system}" if system else browser


def _plain(text: str) -> str:
    """Return `text` on one line, without unprintable characters."""
    seen = "".join(char if char.isprintable() else " " for char in text[: 4 * LONGEST])
    return re.sub(r" +", " ", seen).strip()[:LONGEST]
