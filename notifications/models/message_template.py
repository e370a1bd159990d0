"""Templates that operators write: one draft each, immutable published versions, and who did what when."""

from typing import ClassVar

from django.core.validators import RegexValidator
from django.db import models

from notifications import states
from notifications.models.choices import choices
from users import channel_choices

_validate_type = RegexValidator(
    r"\A[A-Za-z][A-Za-z0-9._]*\Z", "Letters, digits, dots and underscores only.", "invalid_type"
)
_validate_locale = RegexValidator(
    r"\A([a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2}|-[0-9]{3})?)?\Z",
    "Use a language tag such as de or de-CH.",
    "invalid_locale",
)


class MessageTemplate(models.Model):
    """The wording of one event type, or of a family, for a channel and a language or for all of them.

    What it is for never changes: its versions would mean something else. `notifications.authoring` writes it.
    """

    event_type = models.CharField(
        max_length=100,
        validators=[_validate_type],
        help_text="As producers send it, such as ORDER_FILLED. Of a family: its first words, such as ORDER.",
    )
    stem = models.CharField(max_length=120, editable=False)  # how rendering names the type: `order_filled`
    is_family = models.BooleanField(
        default=False,
        verbose_name="for the whole family",
        help_text="For all types that begin with these words and have no wording of their own.",
    )
    channel = models.SmallIntegerField(
        null=True,
        blank=True,
        choices=channel_choices.preference_channels,
        help_text="Empty: every channel.",
    )
    locale = models.CharField(
        max_length=16,
        blank=True,
        validators=[_validate_locale],
        verbose_name="language",
        help_text="A language tag such as de or de-CH. Empty: every language.",
    )
    draft_title = models.TextField(blank=True, verbose_name="title")
    draft_body = models.TextField(blank=True, verbose_name="body")
    has_draft = models.BooleanField(default=True, editable=False)
    draft_saved_at = models.DateTimeField(null=True, editable=False)
    draft_saved_by = models.CharField(max_length=200, blank=True, editable=False)
    published = models.ForeignKey(
        "TemplateVersion",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        help_text="The version in use. Empty: the shipped wording is used.",
    )

    class Meta:
        ordering: ClassVar = ["stem", "channel", "locale"]
        permissions: ClassVar = [("publish_messagetemplate", "Can publish and withdraw message templates")]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["stem", "is_family", "channel", "locale"],
                nulls_distinct=False,
                name="message_template_once",
                violation_error_message="There is a template for this type, channel and language already.",
            )
        ]

    def __str__(self) -> str:
        kind = f"family {self.event_type}" if self.is_family else self.event_type
        channel = "" if self.channel is None else states.Channel(self.channel).name
        return " · ".join(part for part in (kind, channel, self.locale) if part)


class TemplateVersion(models.Model):
    """One published wording. Rows are never changed or deleted: deliveries name the version they used."""

    template = models.ForeignKey(MessageTemplate, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    title = models.TextField()
    body = models.TextField(blank=True)
    published_at = models.DateTimeField()
    published_by = models.CharField(max_length=200)

    class Meta:
        ordering: ClassVar = ["template", "-number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["template", "number"], name="template_version_once")
        ]

    def __str__(self) -> str:
        return f"version {self.number}"


class TemplateChange(models.Model):
    """Who did what to a template, and when. Written with the change itself, never changed afterwards."""

    template = models.ForeignKey(MessageTemplate, on_delete=models.CASCADE, related_name="changes")
    at = models.DateTimeField()
    who = models.CharField(max_length=200, help_text="A user of the admin, or an API key.")
    surface = models.CharField(max_length=8, choices=choices(states.Surface))
    action = models.CharField(max_length=16, choices=choices(states.TemplateAction))
    version = models.PositiveIntegerField(null=True, help_text="The number of the version concerned.")
    note = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering: ClassVar = ["-at", "-id"]

    def __str__(self) -> str:
        return f"{self.action} by {self.who}"
