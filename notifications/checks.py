"""System checks: what would only show at three in the morning is refused at the start."""

import os
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from notifications import knobs
from notifications.states import Channel
from notifications.transports.registry import TRANSPORTS
from users.models import Destination


@register
def transports_have_destinations(**_: Any) -> list[CheckMessage]:
    """Every transport needs a kind of destination, and the other way round."""
    kinds = {Channel(kind) for kind in Destination.Kind.values}
    return [
        Error(
            f"{channel.name} has a destination kind or a transport, but not both.",
            hint="Add it to notifications/transports/registry.py and users.models.Destination.Kind.",
            id="tocsin.E001",
        )
        for channel in kinds ^ set(TRANSPORTS)
    ]


@register
def leases_outlive_tasks(**_: Any) -> list[CheckMessage]:
    """A lease that ends before its task would let a second worker send the same message."""
    lease_s = knobs.current().lease_s
    if lease_s > settings.CELERY_TASK_TIME_LIMIT:
        return []
    return [
        Error(
            f"lease_s ({lease_s}) must be longer than CELERY_TASK_TIME_LIMIT.",
            hint="Raise TOCSIN_LEASE_S.",
            id="tocsin.E002",
        )
    ]


@register
def batch_ends_in_time(**_: Any) -> list[CheckMessage]:
    """The last send of a batch must be over before the task's soft time limit."""
    settled = knobs.current()
    if settled.batch_budget_s + settled.send_timeout_s < settings.CELERY_TASK_SOFT_TIME_LIMIT:
        return []
    return [
        Error(
            "batch_budget_s + send_timeout_s must be below CELERY_TASK_SOFT_TIME_LIMIT.",
            hint="Lower TOCSIN_BATCH_BUDGET_S or TOCSIN_SEND_TIMEOUT_S.",
            id="tocsin.E003",
        )
    ]


@register
def replays_have_a_pace(**_: Any) -> list[CheckMessage]:
    """Without a pace above zero a replay could not say when its deliveries are due."""
    if knobs.current().replay_per_s > 0:
        return []
    return [Error("replay_per_s must be above 0.", hint="Raise TOCSIN_REPLAY_PER_S.", id="tocsin.E004")]


@register
def sessions_can_be_served(**_: Any) -> list[CheckMessage]:
    """A window without a place would never let an event out, and no patience would close every socket."""
    settled = knobs.current()
    numbers = ("window_frames", "window_bytes", "slow_close_s", "resync_s")
    return [
        Error(f"{name} must be above 0.", hint=f"Raise TOCSIN_{name.upper()}.", id="tocsin.E005")
        for name in numbers
        if getattr(settled, name) <= 0
    ]


@register(deploy=True)
def production_is_safe(**_: Any) -> list[CheckMessage]:
    """The demo page, wild-card hosts and missing keys have no place in production."""
    problems = {
        "TOCSIN_DEMO must be off.": settings.TOCSIN_DEMO,
        "ALLOWED_HOSTS must name hosts, not '*'.": "*" in settings.ALLOWED_HOSTS,
        "FIELD_ENCRYPTION_KEYS is empty.": not settings.FIELD_ENCRYPTION_KEYS,
        "TOCSIN_CRASH must not be set: it ends processes.": "TOCSIN_CRASH" in os.environ,
    }
    return [
        Error(text, hint="See docs/configuration.md.", id=f"tocsin.E1{number:02}")
        for number, (text, wrong) in enumerate(problems.items(), start=1)
        if wrong
    ]
