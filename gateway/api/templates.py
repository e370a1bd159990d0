"""`/templates`: stored wordings, for a team that keeps them in a repository and publishes them by script."""

from asgiref.sync import sync_to_async
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import Router
from typing_extensions import TypedDict

from gateway.api.bodies import json_body
from gateway.api.openapi.bodies import body
from gateway.api.shown import Milliseconds
from gateway.auth.bearer import SourceKey
from gateway.codec import templates
from gateway.codec.limits import InvalidEvent
from gateway.codec.people import checked_object
from gateway.codec.problems import Problem, problem
from gateway.codec.schema import Values
from notifications.authoring import drafts
from notifications.authoring.drafts import NotPublishable
from notifications.authoring.preview import Preview, Sample, previews
from notifications.authoring.validation import Finding, findings
from notifications.live.frames import to_ms
from notifications.models import MessageTemplate, TemplateVersion
from notifications.operations.replay import Operator
from notifications.states import Channel, Surface
from runtime.postgres import clock
from runtime.postgres.commits import commits_noticed
from users.keys import LiveKey

router = Router(auth=SourceKey("admin"))


_EXAMPLE = {"event_type": "ORDER_FILLED", "locale": "de", "title": "{{ payload.symbol }} ausgeführt"}
_EXAMPLE_SAMPLE = {"payload": {"symbol": "BTC/USDT"}, "locale": "de", "time_zone": "Europe/Zurich"}


class PublishedVersion(TypedDict):
    version: int
    title: str
    body: str
    at: Milliseconds
    by: str


class StoredTemplate(TypedDict):
    """`channel` null: every one; `locale` empty: every language; `published` null: the shipped wording."""

    id: int
    event_type: str
    is_family: bool
    channel: str | None
    locale: str
    title: str
    body: str
    is_draft: bool
    published: PublishedVersion | None


class TemplateFinding(TypedDict):
    level: str
    field: str
    line: int | None
    text: str


class WrittenTemplate(StoredTemplate):
    findings: list[TemplateFinding]


class StoredTemplates(TypedDict):
    templates: list[StoredTemplate]


class PreviewedMessage(TypedDict):
    title: str
    text: str
    html: str
    uses_template: bool
    problem: str


class TemplatePreview(TypedDict):
    """What is wrong with a text, and the message on each channel."""

    findings: list[TemplateFinding]
    channels: dict[str, PreviewedMessage]


@router.get("", response=StoredTemplates, summary="The stored templates")
async def list_templates(request: HttpRequest) -> HttpResponse:
    """Return all of them, each with its draft and the version in use."""
    rows = MessageTemplate.objects.select_related("published")
    found = await sync_to_async(lambda: [_template_json(row) for row in rows])()
    return JsonResponse({"templates": found})


@router.put(
    "",
    response={200: WrittenTemplate, 409: Problem},
    openapi_extra=body("TemplateText", templates.PUT, _EXAMPLE | {"publish": True}),
    summary="Write a template, and publish it",
)
async def put_template(request: HttpRequest) -> HttpResponse:
    """Create the template for a type, channel and language, or change its text. Idempotent.

    With `publish` it becomes the next version, unless it is in use already; with errors nothing changes.
    """
    return await sync_to_async(_put)(request)


@router.post(
    "/preview",
    response=TemplatePreview,
    openapi_extra=body("TemplateToPreview", templates.PREVIEW, _EXAMPLE | {"sample": _EXAMPLE_SAMPLE}),
    summary="A template on every channel",
)
async def preview_template(request: HttpRequest) -> HttpResponse:
    """Return what is wrong with a text, and the messages that it would make. Nothing is stored or sent."""
    return await sync_to_async(_preview)(request)


@router.put(
    "/{template_id}/published",
    response=StoredTemplate,
    openapi_extra=body("VersionToUse", templates.VERSION, {"version": 1}),
    summary="The version in use",
)
async def use_version(request: HttpRequest, template_id: int) -> HttpResponse:
    """Use an earlier version again, or with null none: the shipped wording. Idempotent."""
    return await sync_to_async(_use)(request, template_id)


@commits_noticed()
def _put(request: HttpRequest) -> HttpResponse:
    given = checked_object(templates.PUT, json_body(request), "")
    wanted, publishes = _template(given), given["publish"]
    try:
        template = drafts.put(wanted, publishes=publishes, by=_operator(request), now=clock.now())
    except IntegrityError:
        return problem("conflict", "Another call has just created this template; send this one again.")
    except NotPublishable as refusal:
        detail = "; ".join(map(str, refusal.findings)) or str(refusal)
        return problem(
            "invalid_template", f"{detail}. Nothing has changed.", findings=_shown(refusal.findings)
        )
    written: WrittenTemplate = {**_template_json(template), "findings": _shown(findings(template))}
    return JsonResponse(written)


def _preview(request: HttpRequest) -> HttpResponse:
    given = checked_object(templates.PREVIEW, json_body(request), "")
    template = _template(given)
    shown = previews(template, _sample(given["sample"], template), now=clock.now())
    answer: TemplatePreview = {
        "findings": _shown(findings(template)),
        "channels": {one.channel.name: _message(one) for one in shown},
    }
    return JsonResponse(answer)


@commits_noticed()
def _use(request: HttpRequest, template_id: int) -> HttpResponse:
    number = checked_object(templates.VERSION, json_body(request), "")["version"]
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


def _template(given: Values) -> MessageTemplate:
    """Return the template that a body describes, not stored yet. Raises: `InvalidEvent`."""
    template = MessageTemplate(
        event_type=given["event_type"],
        is_family=given["is_family"],
        channel=given["channel"],
        locale=given["locale"],
        draft_title=given["title"],
        draft_body=given["body"],
    )
    try:
        template.clean_fields(exclude={"stem"})
    except ValidationError as error:
        field, texts = next(iter(error.message_dict.items()))
        raise InvalidEvent("invalid_template", " ".join(texts), field.removeprefix("draft_")) from None
    return template


def _sample(given: Values, template: MessageTemplate) -> Sample:
    return Sample(
        event_type=given["event_type"] or template.event_type,
        payload=given["payload"],
        locale=given["locale"] or template.locale or "en",
        time_zone=given["time_zone"] or "UTC",
        priority=given["priority"],
    )


def _template_json(template: MessageTemplate) -> StoredTemplate:
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


def _version_json(version: TemplateVersion) -> PublishedVersion:
    return {
        "version": version.number,
        "title": version.title,
        "body": version.body,
        "at": to_ms(version.published_at),
        "by": version.published_by,
    }


def _shown(found: list[Finding]) -> list[TemplateFinding]:
    return [{"level": one.level, "field": one.field, "line": one.line, "text": one.text} for one in found]


def _message(one: Preview) -> PreviewedMessage:
    message = one.message
    return {
        "title": message.title,
        "text": message.text,
        "html": message.html,
        "uses_template": one.uses_draft,
        "problem": one.problem,
    }
