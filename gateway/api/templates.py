"""`/templates`: stored wordings, for a team that keeps them in a repository and publishes them by script."""

from collections.abc import Mapping
from typing import Any

from asgiref.sync import sync_to_async
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import Router

from gateway.api.bodies import json_body
from gateway.api.openapi import templates as documented
from gateway.auth.bearer import SourceKey
from gateway.codec.limits import InvalidEvent, check_text
from gateway.codec.problems import problem
from notifications.authoring import drafts
from notifications.authoring.drafts import NotPublishable
from notifications.authoring.preview import Preview, Sample, previews
from notifications.authoring.validation import Finding, findings
from notifications.live.frames import to_ms
from notifications.models import MessageTemplate, TemplateVersion
from notifications.operations.replay import Operator
from notifications.rendering.sandbox import MAX_SOURCE_CHARS
from notifications.states import Channel, Priority, Surface
from notifications.transports import registry
from runtime.postgres import clock
from runtime.postgres.commits import commits_noticed
from users.keys import LiveKey

router = Router(auth=SourceKey("admin"))

_FIELDS = ("event_type", "is_family", "channel", "locale", "title", "body")
_SAMPLE = ("event_type", "payload", "locale", "time_zone", "priority")


@router.get("", openapi_extra=documented.LIST, summary="The stored templates")
async def list_templates(request: HttpRequest) -> HttpResponse:
    """Return all of them, each with its draft and the version in use."""
    rows = MessageTemplate.objects.select_related("published")
    found = await sync_to_async(lambda: [_template_json(row) for row in rows])()
    return JsonResponse({"templates": found})


@router.put("", openapi_extra=documented.PUT, summary="Write a template, and publish it")
async def put_template(request: HttpRequest) -> HttpResponse:
    """Create the template for a type, channel and language, or change its text. Idempotent.

    With `publish` it becomes the next version, unless it is in use already; with errors nothing changes.
    """
    return await sync_to_async(_put)(request)


@router.post("/preview", openapi_extra=documented.PREVIEW, summary="A template on every channel")
async def preview_template(request: HttpRequest) -> HttpResponse:
    """Return what is wrong with a text, and the messages that it would make. Nothing is stored or sent."""
    return await sync_to_async(_preview)(request)


@router.put("/{template_id}/published", openapi_extra=documented.PUBLISHED, summary="The version in use")
async def use_version(request: HttpRequest, template_id: int) -> HttpResponse:
    """Use an earlier version again, or with null none: the shipped wording. Idempotent."""
    return await sync_to_async(_use)(request, template_id)


@commits_noticed()
def _put(request: HttpRequest) -> HttpResponse:
    body = _known(json_body(request), (*_FIELDS, "publish"))
    wanted = _template(body)
    publishes = _flag(body, "publish")
    try:
        template = drafts.put(wanted, publishes=publishes, by=_operator(request), now=clock.now())
    except IntegrityError:
        return problem("conflict", "Another call has just created this template; send this one again.")
    except NotPublishable as refusal:
        detail = "; ".join(map(str, refusal.findings)) or str(refusal)
        return problem(
            "invalid_template", f"{detail}. Nothing has changed.", findings=_shown(refusal.findings)
        )
    return JsonResponse(_template_json(template) | {"findings": _shown(findings(template))})


def _preview(request: HttpRequest) -> HttpResponse:
    body = _known(json_body(request), (*_FIELDS, "sample"))
    template = _template(body)
    given = body.get("sample", {})
    if not isinstance(given, dict):
        raise InvalidEvent("not_an_object", "Send a JSON object.", "sample")
    shown = previews(template, _sample(_known(given, _SAMPLE), template), now=clock.now())
    return JsonResponse(
        {
            "findings": _shown(findings(template)),
            "channels": {one.channel.name: _message(one) for one in shown},
        }
    )


@commits_noticed()
def _use(request: HttpRequest, template_id: int) -> HttpResponse:
    body = _known(json_body(request), ("version",))
    number = body.get("version")
    if number is not None and (isinstance(number, bool) or not isinstance(number, int)):
        raise InvalidEvent("not_an_integer", "The number of a version, or null.", "version")
    template = MessageTemplate.objects.select_related("published").filter(pk=template_id).first()
    if template is None:
        return problem("not_found", "There is no template with this id; GET /templates lists them.")
    in_use = template.published.number if template.published else None
    try:
        if number is None and in_use is not None:
            drafts.withdraw(template.pk, by=_operator(request), now=clock.now())
        elif number is not None and number != in_use:
            drafts.publish_again(template.pk, number, by=_operator(request), now=clock.now())
    except TemplateVersion.DoesNotExist:
        return problem("not_found", "This template has no version with this number.", field="version")
    template.refresh_from_db()
    return JsonResponse(_template_json(template))


def _operator(request: HttpRequest) -> Operator:
    key: LiveKey = request.auth  # type: ignore[attr-defined]
    return Operator(Surface.API, f"{key.source_name} tsn_{key.prefix}")


def _known(body: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    for name in body:
        if name not in names:
            raise InvalidEvent("unknown_field", f"Known are {', '.join(names)}.", str(name)[:60])
    return body


def _template(body: Mapping[str, Any]) -> MessageTemplate:
    """Return the template that a body describes, not stored yet. Raises: `InvalidEvent`."""
    template = MessageTemplate(
        event_type=_text(body, "event_type", 100),
        is_family=_flag(body, "is_family"),
        channel=_channel(body),
        locale=_text(body, "locale", 16),
        draft_title=_text(body, "title", MAX_SOURCE_CHARS),
        draft_body=_text(body, "body", MAX_SOURCE_CHARS),
    )
    try:
        template.clean_fields(exclude={"stem"})
    except ValidationError as error:
        field, texts = next(iter(error.message_dict.items()))
        raise InvalidEvent("invalid_template", " ".join(texts), field.removeprefix("draft_")) from None
    return template


def _sample(given: Mapping[str, Any], template: MessageTemplate) -> Sample:
    payload = given.get("payload", {})
    if not isinstance(payload, dict):
        raise InvalidEvent("not_an_object", "Send a JSON object.", "sample.payload")
    priority = given.get("priority", Priority.NORMAL.name)
    if priority not in Priority.__members__:
        raise InvalidEvent("unknown_value", f"One of {', '.join(Priority.__members__)}.", "sample.priority")
    return Sample(
        event_type=_text(given, "event_type", 100) or template.event_type,
        payload=payload,
        locale=_text(given, "locale", 16) or template.locale or "en",
        time_zone=_text(given, "time_zone", 64) or "UTC",
        priority=Priority[priority],
    )


def _text(body: Mapping[str, Any], name: str, longest: int) -> str:
    value = body.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InvalidEvent("not_a_string", "Send text.", name)
    return check_text(value, name, longest=longest)


def _flag(body: Mapping[str, Any], name: str) -> bool:
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise InvalidEvent("not_a_boolean", "true or false.", name)
    return value


def _channel(body: Mapping[str, Any]) -> int | None:
    name = body.get("channel")
    names = [channel.name for channel in registry.channels()]
    if name is not None and name not in names:
        raise InvalidEvent("unknown_value", f"One of {', '.join(names)}; null: every channel.", "channel")
    return None if name is None else int(Channel[name])


def _template_json(template: MessageTemplate) -> dict[str, Any]:
    version = template.published
    return {
        "id": template.pk,
        "event_type": template.event_type,
        "is_family": template.is_family,
        "channel": None if template.channel is None else Channel(template.channel).name,
        "locale": template.locale,
        "title": template.draft_title,
        "body": template.draft_body,
        "is_draft": template.has_draft,
        "published": None if version is None else _version_json(version),
    }


def _version_json(version: TemplateVersion) -> dict[str, Any]:
    return {
        "version": version.number,
        "title": version.title,
        "body": version.body,
        "at": to_ms(version.published_at),
        "by": version.published_by,
    }


def _shown(found: list[Finding]) -> list[dict[str, Any]]:
    return [{"level": one.level, "field": one.field, "line": one.line, "text": one.text} for one in found]


def _message(one: Preview) -> dict[str, Any]:
    message = one.message
    return {
        "title": message.title,
        "text": message.text,
        "html": message.html,
        "uses_template": one.uses_draft,
        "problem": one.problem,
    }
