"""Templates that an operator wrote, in use by this process.

pytest loads this before Django is set up, so models are imported where they are used.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from notifications.states import Surface
from runtime.redis.client import client

if TYPE_CHECKING:
    from notifications.models import MessageTemplate, TemplateVersion
    from notifications.operations.replay import Operator


@pytest.fixture(autouse=True)
def nothing_published() -> Iterator[None]:
    """What one test published is not in use for the next one."""
    from notifications.rendering import failures, published

    published.forget()
    yield
    published.forget()
    failures.forget()
    for key in client().scan_iter("template.*"):
        client().delete(key)


@pytest.fixture
def olga() -> "Operator":
    from notifications.operations.replay import Operator

    return Operator(Surface.ADMIN, "olga")


@pytest.fixture
def write(db: None, olga: "Operator", now: Any) -> "Callable[..., MessageTemplate]":
    """Write a draft."""
    from notifications.authoring import drafts
    from notifications.models import MessageTemplate

    def make(event_type: str = "ORDER_FILLED", title: str = "New", body: str = "", **of: Any) -> Any:
        template = MessageTemplate(event_type=event_type, draft_title=title, draft_body=body, **of)
        return drafts.create(template, by=olga, now=now)

    return make


@pytest.fixture
def publish(write: Any, olga: "Operator", now: Any) -> "Callable[..., TemplateVersion]":
    """Publish a template, and let this process use it."""
    from notifications.authoring import drafts
    from notifications.rendering import published

    def make(*args: Any, **of: Any) -> Any:
        version = drafts.publish(write(*args, **of).pk, by=olga, now=now)
        published.read()
        return version

    return make


@pytest.fixture
def force(write: Any, now: Any) -> "Callable[..., TemplateVersion]":
    """Put a version in use as it is, even one that could not be published."""
    from notifications.models import TemplateVersion
    from notifications.rendering import published

    def make(*args: Any, **of: Any) -> Any:
        template = write(*args, **of)
        template.published = TemplateVersion.objects.create(
            template=template,
            number=1,
            title=template.draft_title,
            body=template.draft_body,
            published_at=now,
            published_by="olga",
        )
        template.save()
        published.read()
        return template.published

    return make
