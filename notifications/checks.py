"""System checks: refuse at the start what would otherwise fail in production, hours later."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from notifications.events import Address, ChannelChoice, Recipient
from notifications.routing.route import route
from notifications.settings import pipeline_settings
from notifications.states import Channel, Priority
from notifications.transports import registry
from notifications.transports.spec import ChannelSpec

_ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)
_RECIPE = 'CONTRIBUTING.md, "Add a channel", lists the parts of a channel.'


@register
def channels_can_be_routed_to(**_: Any) -> list[CheckMessage]:
    """A registered channel that is in no plan, even for a recipient with an address on it, is never used."""
    return [
        Error(f"{spec.channel.name} cannot be routed to.", hint=_RECIPE, id="tocsin.E001")
        for spec in registry.channels().values()
        if not _is_routable(spec)
    ]


def _is_routable(spec: ChannelSpec) -> bool:
    if spec.channel is Channel.ACTIVE_SESSION:  # stands for whatever is live, and is no step of a plan
        return False
    channels = registry.channels()
    plan = route(
        event_type="",
        priority=Priority.NORMAL,
        requested=(),
        recipient=Recipient(1, "", addresses=(Address(1, spec.channel),)),
        online=True,
        channels=channels,
        default_order=tuple(map(ChannelChoice, channels)),
        now=_ANY_TIME,
    )
    return any(step.channel is spec.channel for step in plan.steps)


@register
def channels_are_complete(**_: Any) -> list[CheckMessage]:
    """A channel must have every part that its declaration names."""
    return [
        Error(f"{spec.channel.name} has no {part}.", hint=_RECIPE, id="tocsin.E006")
        for spec in registry.channels().values()
        for part in _missing_parts(spec)
    ]


def _missing_parts(spec: ChannelSpec) -> Iterator[str]:
    for declared, suffix in ((spec.fit.has_layout, "txt"), (spec.fit.has_markup, "html")):
        layout = f"layouts/{spec.name}.{suffix}"
        if declared and not (spec.templates and (spec.templates / layout).is_file()):
            yield layout
    if spec.fit.has_markup and not spec.fit.has_layout:
        yield "plain layout beside its markup (Fit.has_layout)"
    if spec.transport is None:
        return
    if spec.address is None:
        yield "address form"
    if getattr(spec.transport, "channel", spec.channel) is not spec.channel:
        yield "transport of its own: its class names another channel"
    if spec.edits and not hasattr(spec.transport, "edit"):
        yield "edit method of its transport (ChannelSpec.edits)"
    for priority in (Priority.NORMAL, Priority.CRITICAL):
        if not spec.waits_s.get(priority):
            yield f"retry schedule for {priority.name}"


@register
def leases_outlive_tasks(**_: Any) -> list[CheckMessage]:
    """If a lease ended before its task, a second worker could send the same message."""
    lease_s = pipeline_settings().lease_s
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
    """The last send of a batch must end before the task's soft time limit."""
    domain = pipeline_settings()
    if domain.batch_budget_s + domain.send_timeout_s < settings.CELERY_TASK_SOFT_TIME_LIMIT:
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
    """A replay needs a rate above zero to compute when its deliveries are due."""
    if pipeline_settings().replay_per_s > 0:
        return []
    return [Error("replay_per_s must be above 0.", hint="Raise TOCSIN_REPLAY_PER_S.", id="tocsin.E004")]
