"""What a template would look like on every channel, if it was published now."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from notifications.events import Content
from notifications.live.frames import to_ms
from notifications.models import MessageTemplate
from notifications.rendering import published
from notifications.rendering.bounds import TemplateFailed
from notifications.rendering.published import Published, StoredWording
from notifications.rendering.render import render
from notifications.rendering.shipped import stem_of
from notifications.states import Channel, Priority
from notifications.transports import registry
from notifications.transports.base import Message

_DRAFT = 0  # instead of the id of a version


@dataclass(frozen=True, slots=True)
class Sample:
    """An event to try a template with, and what matters of the person whom it is for."""

    event_type: str
    payload: Mapping[str, Any]
    locale: str = "en"
    time_zone: str = "UTC"
    priority: Priority = Priority.NORMAL

    def content(self, now: datetime) -> Content:
        return Content(
            "preview",
            self.event_type,
            self.priority,
            to_ms(now),
            self.payload,
            self.time_zone,
            locale=self.locale,
        )


@dataclass(frozen=True, slots=True)
class Preview:
    """A message on one channel. `problem`: why the draft could not be used; the message has other words."""

    channel: Channel
    label: str
    message: Message
    uses_draft: bool
    problem: str = ""


class _Tried(Published):
    """The published wordings, and a draft among them. Its failures are shown, and reported nowhere."""

    failure: TemplateFailed | None = None

    def failed(self, wording: StoredWording, failure: TemplateFailed) -> None:
        if wording.version_id == _DRAFT:
            self.failure = failure


def previews(template: MessageTemplate, sample: Sample, *, now: datetime) -> list[Preview]:
    """Return the message of every channel, in the default order."""
    return [preview(template, sample, channel, now=now) for channel in registry.channels()]


def preview(
    template: MessageTemplate, sample: Sample, channel: Channel, *, now: datetime, mark: str = ""
) -> Preview:
    """Return the message of one channel. Raises nothing, whatever the draft is. `mark`: before the title."""
    template.stem = stem_of(template.event_type)
    draft = StoredWording(
        mark + template.draft_title,
        template.draft_body,
        template.locale,
        of_family=template.is_family,
    )
    tried = _Tried({**published.current().wordings, published.key_of(template): draft})
    message = render(sample.content(now), channel, key="preview", wordings=tried)
    problem = "" if tried.failure is None else tried.failure.for_people()
    return Preview(
        channel, registry.spec(channel).label, message, message.template_version == _DRAFT, problem
    )
