"""Message templates: the list with their health, the form for a new one, and the editor's page."""

from collections.abc import Callable, Mapping
from typing import Any

import redis
from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from notifications.admin import template_calls
from notifications.authoring import drafts, samples
from notifications.authoring.drafts import Conflict, NotPublishable, Text
from notifications.models import MessageTemplate, TemplateChange, TemplateVersion
from notifications.operations.replay import Operator
from notifications.rendering import failures
from notifications.rendering.shipped import stem_of
from notifications.states import Surface
from runtime.postgres import clock
from users.read_only_admin import ReadOnly

CHANGES_SHOWN = 30


def operator(request: HttpRequest) -> Operator:
    return Operator(Surface.ADMIN, request.user.get_username())


class NewTemplateForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = MessageTemplate
        fields = ("event_type", "is_family", "channel", "locale")

    def clean(self) -> Any:
        """Find a template for the same: the type is compared in every spelling."""
        values = super().clean() or self.cleaned_data
        if "event_type" in values and not self.errors:
            stem = stem_of(values["event_type"])
            same = MessageTemplate.objects.filter(
                stem=stem,
                is_family=values["is_family"],
                channel=values["channel"],
                locale=values["locale"],
            )
            if same.exists():
                raise forms.ValidationError("There is a template for this type, channel and language.")
        return values


@admin.register(MessageTemplate)
class MessageTemplateAdmin(ModelAdmin):  # type: ignore[misc]
    form = NewTemplateForm
    list_display = ("__str__", "in_use", "draft", "health")
    list_filter = ("has_draft", "channel", "locale", "is_family")
    search_fields = ("event_type",)
    list_select_related = ("published",)
    fields = ("event_type", "is_family", "channel", "locale")

    def get_urls(self) -> list[URLPattern]:
        return [*template_calls.urls(self), *super().get_urls()]

    def has_delete_permission(self, request: HttpRequest, obj: MessageTemplate | None = None) -> bool:
        """Let only a draft be deleted: deliveries name the versions of a published one."""
        allowed: bool = super().has_delete_permission(request, obj)
        return allowed and obj is not None and not obj.versions.exists()

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Let a draft take the notes of its changes along, which nobody may delete by themselves."""
        deleted, counts, _, protected = super().get_deleted_objects(objs, request)
        return deleted, counts, set(), protected

    def has_publish_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("notifications.publish_messagetemplate")

    # --- the list ---------------------------------------------------------------------------------------
    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        self._broken = _broken()
        answer: HttpResponse = super().changelist_view(request, extra_context)
        return answer

    @admin.display(description="in use")
    def in_use(self, template: MessageTemplate) -> str:
        version = template.published
        if version is None:
            return "shipped wording"
        return f"{version}, since {version.published_at:%Y-%m-%d %H:%M} UTC"

    @admin.display(description="draft")
    def draft(self, template: MessageTemplate) -> str:
        return f"by {template.draft_saved_by}" if template.has_draft else ""

    @admin.display(description="health")
    def health(self, template: MessageTemplate) -> str | SafeString:
        if template.published is None:
            return ""
        if self._broken is None:
            return "unknown: Redis is unavailable"
        return health_of(self._broken.get(template.published.pk))

    # --- a new one --------------------------------------------------------------------------------------
    def save_model(self, request: HttpRequest, obj: MessageTemplate, form: Any, change: bool) -> None:
        """Begin with the shipped wording. Existing templates are written by the editor alone."""
        first = drafts.shipped_text(obj)
        obj.draft_title, obj.draft_body = first.title, first.body
        drafts.create(obj, by=operator(request), now=clock.now())

    def response_add(self, request: HttpRequest, obj: MessageTemplate, *_: Any) -> HttpResponse:
        return HttpResponseRedirect(_editor(obj.pk))

    # --- the editor -------------------------------------------------------------------------------------
    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        template = self.get_object(request, object_id)
        if template is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[no-any-return]
        if not self.has_view_or_change_permission(request, template):
            raise PermissionDenied
        if request.method != "POST":
            return self._editor(request, template)
        return self._written(request, template)

    def _written(self, request: HttpRequest, template: MessageTemplate) -> HttpResponse:
        """Do what the pressed button says. A refusal keeps what was typed."""
        text = Text.clean(request.POST.get("title", ""), request.POST.get("body", ""))
        verb = request.POST.get("do", "")
        if verb not in _VERBS:
            return HttpResponseRedirect(_editor(template.pk))
        needs_publish, do = _VERBS[verb]
        allowed = self.has_publish_permission if needs_publish else self.has_change_permission
        if not allowed(request):
            raise PermissionDenied
        try:
            messages.success(request, do(request, template, text))
        except (Conflict, NotPublishable) as refusal:
            messages.error(request, str(refusal))
            template.refresh_from_db()
            template.draft_title, template.draft_body = text.title, text.body
            return self._editor(request, template)
        return HttpResponseRedirect(_editor(template.pk))

    def _editor(self, request: HttpRequest, template: MessageTemplate) -> HttpResponse:
        may_change = self.has_change_permission(request)
        context = self.admin_site.each_context(request) | {
            "title": str(template),
            "opts": self.opts,
            "template": template,
            "broken": (_broken() or {}).get(template.published_id or 0),
            "versions": list(template.versions.all()),
            "changes": list(template.changes.all()[:CHANGES_SHOWN]),
            "samples": samples.of(template.event_type, is_family=template.is_family),
            "languages": template_calls.languages(template),
            "may_change": may_change,
            "may_publish": self.has_publish_permission(request),
            "may_delete": self.has_delete_permission(request, template),
            "user_id": getattr(request.user, "external_id", ""),
            "is_nav_sidebar_enabled": False,
            "is_fullwidth": "1",
        }
        return TemplateResponse(request, "admin/notifications/messagetemplate/editor.html", context)


def _save(request: HttpRequest, template: MessageTemplate, text: Text) -> str:
    drafts.save(
        template.pk,
        text,
        seen_at=template_calls.seen_at(request.POST.get("seen_at", "")),
        by=operator(request),
        now=clock.now(),
    )
    return "The draft is saved. The version in use has not changed."


def _publish(request: HttpRequest, template: MessageTemplate, text: Text) -> str:
    """Publish what is in the form."""
    if text != Text(template.draft_title, template.draft_body):
        _save(request, template, text)
    version = drafts.publish(template.pk, by=operator(request), now=clock.now())
    return f"Version {version.number} is published. All messages use it within seconds."


def _discard(request: HttpRequest, template: MessageTemplate, text: Text) -> str:
    drafts.discard(template.pk, by=operator(request), now=clock.now())
    return "The draft is that of the version in use again."


def _withdraw(request: HttpRequest, template: MessageTemplate, text: Text) -> str:
    drafts.withdraw(template.pk, by=operator(request), now=clock.now())
    return "Withdrawn: messages get the shipped wording, or that of another template, within seconds."


def _publish_again(request: HttpRequest, template: MessageTemplate, text: Text) -> str:
    given = request.POST.get("number", "")
    number = int(given) if given.isascii() and given.isdigit() and len(given) < 10 else 0
    try:
        version = drafts.publish_again(template.pk, number, by=operator(request), now=clock.now())
    except TemplateVersion.DoesNotExist:
        raise NotPublishable("There is no such version.") from None
    return f"Version {version.number} is in use again, within seconds."


# The editor's buttons: whether each needs the right to publish, and what it does.
_VERBS: Mapping[str, tuple[bool, Callable[[HttpRequest, MessageTemplate, Text], str]]] = {
    "save": (False, _save),
    "discard": (False, _discard),
    "publish": (True, _publish),
    "publish_again": (True, _publish_again),
    "withdraw": (True, _withdraw),
}


def _editor(pk: int) -> str:
    return reverse("admin:notifications_messagetemplate_change", args=[pk])


def _broken() -> dict[int, failures.Broken] | None:
    """Return the versions in use that fail, by their ids; None if that is not known."""
    in_use = MessageTemplate.objects.filter(published__isnull=False).values_list("published_id", flat=True)
    try:
        return failures.of(pk for pk in in_use if pk is not None)
    except redis.RedisError:
        return None


def health_of(broken: failures.Broken | None) -> str | SafeString:
    if broken is None:
        return "good"
    return format_html(
        '<span class="text-red-600 dark:text-red-400">broken since {} UTC: {} ({} messages)</span>',
        f"{broken.since:%Y-%m-%d %H:%M}",
        broken.last,
        f"{broken.count:,}",
    )


@admin.register(TemplateChange)
class TemplateChangeAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]
    list_display = ("at", "template", "action", "version", "who", "surface", "note")
    list_filter = ("action", "surface", "who")
    search_fields = ("template__event_type", "who")
    date_hierarchy = "at"
    list_select_related = ("template",)
