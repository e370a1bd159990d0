"""The Origin of a page, and what it may do.

Pages of this server and of `CSRF_TRUSTED_ORIGINS` may use a browser session. Those of `CORS_ALLOWED_ORIGINS`
may use a person's token or ticket, and no session.
"""

import re

from django.conf import settings

_ORIGIN = re.compile(r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:]+\])(?::[0-9]{1,5})?")
_DEFAULT_PORTS = (("https://", ":443"), ("http://", ":80"))


def tokens_allowed(origin: str) -> bool:
    """Return whether a page of this Origin may use a person's token: scheme, host and port are listed."""
    return origin in settings.CORS_ALLOWED_ORIGINS


def is_exact(entry: str) -> bool:
    """Return whether `entry` is an Origin as browsers write one: no pattern, path or default port."""
    usual = any(entry.startswith(scheme) and entry.endswith(port) for scheme, port in _DEFAULT_PORTS)
    return _ORIGIN.fullmatch(entry) is not None and not usual
