"""Filters of the pages: sentences and times in the language and the time zone of their reader."""

from datetime import UTC, datetime, timedelta

from babel.dates import format_datetime, format_timedelta
from django import template
from django.core.exceptions import ValidationError
from django.utils import timezone

from notifications.rendering import vocabulary
from notifications.rendering.locales import current, gettext
from notifications.states import Channel
from notifications.transports import registry
from users.locales import gettext_noop

register = template.Library()

_ERRORS = {  # by the codes of Django's forms
    "required": gettext_noop("Fill this in."),
    "invalid": gettext_noop("This cannot be right."),
    "invalid_login": gettext_noop("The username or the password is wrong. Both distinguish capital letters."),
    "inactive": gettext_noop("This account is disabled."),
    "throttled": gettext_noop("Too many attempts; try again in 5 minutes."),
    "password_incorrect": gettext_noop("This is not your password."),
    "password_mismatch": gettext_noop("The two are not the same."),
    "password_too_short": gettext_noop("Use at least 10 characters."),
    "password_too_common": gettext_noop("This password is one that many people use."),
    "password_too_similar": gettext_noop("This is too much like your name."),
    "password_entirely_numeric": gettext_noop("Use more than digits."),
}


@register.filter
def translated(sentence: str) -> str:
    return gettext(sentence)


@register.filter
def moment(at: datetime | int | None) -> str:
    """Return a time, also one in Unix milliseconds, as people write it."""
    if at is None:
        return ""
    local = timezone.localtime(_time(at))
    return format_datetime(local, "medium", locale=current().cldr)


@register.filter
def iso(at: datetime | int) -> str:
    """Return a time for the attribute `datetime`."""
    return _time(at).isoformat(timespec="seconds")


def _time(at: datetime | int) -> datetime:
    return datetime.fromtimestamp(at / 1000, UTC) if isinstance(at, int) else at


@register.filter
def duration(seconds: int) -> str:
    return format_timedelta(timedelta(seconds=seconds), threshold=2, locale=current().cldr)


@register.filter
def channel_label(channel: int) -> str:
    spec = registry.channels().get(Channel(channel))
    return gettext(spec.label) if spec else Channel(channel).name


@register.filter
def type_label(name: str) -> str:
    """Return the name of an event type as people say it."""
    return vocabulary.event_type(name) or vocabulary.sentence(name.replace(".", " "))


@register.filter
def error_text(error: ValidationError) -> str:
    """Return what is wrong with a form, in the reader's language."""
    known = _ERRORS.get(error.code or "")
    return gettext(known) if known else " ".join(error.messages)
