"""Writing message templates: a draft, its publication, and the way back. Every change says who made it."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Max

from notifications.authoring.validation import Finding, errors
from notifications.models import MessageTemplate, TemplateChange, TemplateVersion
from notifications.operations.replay import Operator
from notifications.rendering import published, shipped
from notifications.rendering.shipped import stem_of
from notifications.states import Channel, TemplateAction
from notifications.transports import registry
from users.locales import DEFAULT


class Conflict(Exception):
    """The draft has changed since it was read. The text says who saved the newer one."""


class NotPublishable(Exception):
    """There is no draft, or it has errors."""

    def __init__(self, text: str, findings: list[Finding] | None = None) -> None:
        super().__init__(text)
        self.findings = findings or []


@dataclass(frozen=True, slots=True)
class Text:
    """What an operator writes: a title of one line, and a body."""

    title: str
    body: str = ""

    @classmethod
    def clean(cls, title: str, body: str) -> "Text":
        """Return the text with line ends as everywhere else, and without white space around it."""
        return cls(title.strip(), body.replace("\r\n", "\n").strip())


def shipped_text(template: MessageTemplate) -> Text:
    """Return the shipped wording of what a template is for: its first draft."""
    channel = Channel(template.channel or Channel.WEB)  # for every channel: WEB has no wording of its own
    source = shipped.source(template.event_type, registry.spec(channel), template.locale or DEFAULT)
    title, _, body = source.strip().partition("\n")
    return Text.clean(title, body)


@transaction.atomic
def create(template: MessageTemplate, *, by: Operator, now: datetime) -> MessageTemplate:
    """Store a new template with its draft. Raises: `IntegrityError` for a second one."""
    template.stem = stem_of(template.event_type)
    template.has_draft = True
    template.draft_saved_at, template.draft_saved_by = now, by.who
    template.save(force_insert=True)
    _note(template, TemplateAction.CREATED, by, now)
    return template


@transaction.atomic
def save(pk: int, text: Text, *, seen_at: datetime | None, by: Operator, now: datetime) -> MessageTemplate:
    """Save a draft; the published version stays in use. Raises: `Conflict`.

    `seen_at`: the `draft_saved_at` of the draft that was edited.
    """
    template = _locked(pk)
    if template.draft_saved_at != seen_at:
        raise Conflict(f"{template.draft_saved_by or 'Someone'} has saved another draft meanwhile.")
    _set_draft(template, text, by, now)
    _note(template, TemplateAction.SAVED, by, now)
    return template


@transaction.atomic
def put(wanted: MessageTemplate, *, publishes: bool, by: Operator, now: datetime) -> MessageTemplate:
    """Store a template with this draft, or save the draft of the one for the same; then publish it if asked.

    Idempotent: what is there already changes nothing. Raises: `NotPublishable`, and nothing has changed.
    """
    stem = stem_of(wanted.event_type)
    same = MessageTemplate.objects.select_for_update().filter(
        stem=stem, is_family=wanted.is_family, channel=wanted.channel, locale=wanted.locale
    )
    template = same.first() or create(wanted, by=by, now=now)
    text = Text.clean(wanted.draft_title, wanted.draft_body)
    if text != Text(template.draft_title, template.draft_body):
        template = save(template.pk, text, seen_at=template.draft_saved_at, by=by, now=now)
    if publishes and template.has_draft:
        publish(template.pk, by=by, now=now)
    template.refresh_from_db()
    return template


@transaction.atomic
def discard(pk: int, *, by: Operator, now: datetime) -> MessageTemplate:
    """Return the draft to the published version's text. Raises: `NotPublishable` if none was published."""
    template = _locked(pk)
    if template.published is None:
        raise NotPublishable("Nothing was published that the draft could return to.")
    _set_draft(template, Text(template.published.title, template.published.body), by, now)
    _note(template, TemplateAction.DISCARDED, by, now)
    return template


@transaction.atomic
def publish(pk: int, *, by: Operator, now: datetime) -> TemplateVersion:
    """Make the draft the next version; messages use it within seconds. Raises: `NotPublishable`."""
    template = _locked(pk)
    if not template.has_draft:
        raise NotPublishable("The draft is published already.")
    found = errors(template)
    if found:
        raise NotPublishable("The draft has errors.", found)
    last = template.versions.aggregate(last=Max("number"))["last"] or 0
    version = TemplateVersion.objects.create(
        template=template,
        number=last + 1,
        title=template.draft_title,
        body=template.draft_body,
        published_at=now,
        published_by=by.who,
    )
    _use(template, version, TemplateAction.PUBLISHED, by, now)
    return version


@transaction.atomic
def publish_again(pk: int, number: int, *, by: Operator, now: datetime) -> TemplateVersion:
    """Use an earlier version again, as it was; a draft stays. Raises: `TemplateVersion.DoesNotExist`."""
    template = _locked(pk)
    version = template.versions.get(number=number)
    _use(template, version, TemplateAction.RESTORED, by, now)
    return version


@transaction.atomic
def withdraw(pk: int, *, by: Operator, now: datetime) -> MessageTemplate:
    """Use the next best wording instead: another template's, or the shipped one. The versions stay."""
    template = _locked(pk)
    _use(template, None, TemplateAction.WITHDRAWN, by, now)
    return template


def note_test(pk: int, note: str, *, by: Operator, now: datetime) -> None:
    _note(MessageTemplate(pk=pk), TemplateAction.TESTED, by, now, note=note)


def _locked(pk: int) -> MessageTemplate:
    return MessageTemplate.objects.select_for_update().get(pk=pk)


def _set_draft(template: MessageTemplate, text: Text, by: Operator, now: datetime) -> None:
    template.draft_title, template.draft_body = text.title, text.body
    template.has_draft = _differs(template, template.published)
    template.draft_saved_at, template.draft_saved_by = now, by.who
    template.save()


def _use(
    template: MessageTemplate,
    version: TemplateVersion | None,
    action: TemplateAction,
    by: Operator,
    now: datetime,
) -> None:
    """Change the version in use. This process uses it from the commit on, the others within seconds."""
    concerned = version or template.published  # of a withdrawal: the one that was in use
    template.published = version
    template.has_draft = _differs(template, version)
    template.save()
    _note(template, action, by, now, version=concerned.number if concerned else None)
    transaction.on_commit(published.read, robust=True)


def _differs(template: MessageTemplate, version: TemplateVersion | None) -> bool:
    return version is None or (template.draft_title, template.draft_body) != (version.title, version.body)


def _note(
    template: MessageTemplate,
    action: TemplateAction,
    by: Operator,
    now: datetime,
    *,
    version: int | None = None,
    note: str = "",
) -> None:
    TemplateChange.objects.create(
        template_id=template.pk,
        at=now,
        who=by.who,
        surface=by.surface,
        action=action,
        version=version,
        note=note[:200],
    )
