"""System checks of the edge's settings, and of `TOCSIN_…` variables that nothing reads."""

import os
import re
from dataclasses import fields
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from gateway.auth.origins import is_exact
from gateway.settings import EdgeSettings, edge_settings
from notifications.settings import PipelineSettings
from runtime.settings import PREFIX, variable

# Read elsewhere: by the development system, the failpoints, the tests and the fault scenarios.
_OTHERS = ("HOME", "DEMO", "CRASH", "REQUIRE_", "CHAOS_", "CHANNELS", "PUBLIC_URL", "STATE_MACHINE_", "RUN_")


_WEBHOOK_SECRET = re.compile(r"[A-Za-z0-9_-]{16,256}")  # Telegram allows these, also fewer of them


@register
def the_webhook_has_a_secret(**_: Any) -> list[CheckMessage]:
    """Who guesses the secret of the webhook can speak for every person who has linked a chat."""
    secret = settings.TELEGRAM_WEBHOOK_SECRET
    if not secret or _WEBHOOK_SECRET.fullmatch(secret):
        return []
    hint = "Set 16 to 256 of A-Z, a-z, 0-9, _ and -, at random; unset it if there is no webhook."
    return [Error("TELEGRAM_WEBHOOK_SECRET is no good secret.", hint=hint, id="tocsin.E009")]


@register
def the_public_url_is_one(**_: Any) -> list[CheckMessage]:
    """It begins the links in messages, which are secrets: beyond this machine they need TLS."""
    given = urlsplit(settings.TOCSIN_PUBLIC_URL)
    is_url = given.scheme in {"http", "https"} and given.netloc and not (given.query or given.fragment)
    is_safe = given.scheme == "https" or not settings.PRODUCTION
    if not settings.TOCSIN_PUBLIC_URL or (is_url and is_safe):
        return []
    hint = "Set such as https://tocsin.example.org, or unset it: then messages have no link to this service."
    return [Error("TOCSIN_PUBLIC_URL is no URL that people can open safely.", hint=hint, id="tocsin.E010")]


@register
def allowed_origins_are_exact(**_: Any) -> list[CheckMessage]:
    """A pattern or a path would match no page, and beyond this machine a page without TLS loses its token."""
    needed = "https://" if settings.PRODUCTION else "http"
    hint = (
        "Name origins as browsers send them, such as https://app.example.org or https://app.example.org:8443."
    )
    return [
        Error(f"CORS_ALLOWED_ORIGINS: {entry} is no origin that can be allowed.", hint=hint, id="tocsin.E011")
        for entry in settings.CORS_ALLOWED_ORIGINS
        if not (is_exact(entry) and entry.startswith(needed))
    ]


@register
def sessions_can_be_served(**_: Any) -> list[CheckMessage]:
    """An empty window would never let an event out, and a limit of 0 s would close every socket."""
    current = edge_settings()
    return [
        Error(f"{name} must be above 0.", hint=f"Raise {variable(name)}.", id="tocsin.E005")
        for name in ("window_frames", "window_bytes", "slow_close_s", "resync_s")
        if getattr(current, name) <= 0
    ]


@register
def variables_are_settings(**_: Any) -> list[CheckMessage]:
    """A misspelt or removed setting would be ignored without a word."""
    known = {variable(one.name) for owner in (PipelineSettings, EdgeSettings) for one in fields(owner)}
    others = tuple(PREFIX + name for name in _OTHERS)
    return [
        Warning(f"{name} is no setting.", hint="See docs/configuration.md; unset it.", id="tocsin.W001")
        for name in sorted(os.environ)
        if name.startswith(PREFIX) and name not in known and not name.startswith(others)
    ]
