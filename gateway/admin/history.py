"""The tab of what was changed of a person's addresses and preferences: by whom, from what, to what."""

from typing import Any

from django.http import HttpResponse
from django.urls import reverse

from gateway.admin.tabs import Visit
from notifications.states import Priority
from users import channel_choices
from users.models import Hours, PersonChange, Weekday

TAB = "changes"
_ON_A_PAGE = 100

_SUBJECTS = {
    "address": "Address",
    "channel": "Channel",
    "mute": "Mute",
    "throttle": "Throttle",
    "digest": "Digest",
    "hours": "Hours",
    "piercing": "CRITICAL that waits",
}


def answer(visit: Visit) -> HttpResponse:
    """Show a page of changes before the one in `before`, the newest first."""
    before = visit.request.GET.get("before", "")
    found = PersonChange.objects.filter(user=visit.person)
    if before.isdecimal() and int(before) < 2**63:
        found = found.filter(pk__lt=int(before))
    changes = list(found[: _ON_A_PAGE + 1])
    shown = changes[:_ON_A_PAGE]
    addresses = {one.pk: str(one) for one in visit.person.destinations.all()}
    return visit.page(
        lines=[_line(change, addresses, visit.person.external_id) for change in shown],
        next_before=shown[-1].pk if len(changes) > _ON_A_PAGE else None,
        is_first=not before,
        logs=reverse("admin:users_user_history", args=[visit.person.pk]),
    )


def _line(change: PersonChange, addresses: dict[int, str], person: str) -> dict[str, Any]:
    values = change.now or change.was or {}
    name = addresses.get(change.row, "") if change.subject == "address" else ""
    return {
        "at": change.at,
        "who": "the person" if change.who == person else change.who,
        "surface": change.get_surface_display(),
        "subject": f"{_SUBJECTS[change.subject]}: {name or _name(change.subject, values)}",
        "was": _text(change.subject, change.was),
        "now": _text(change.subject, change.now),
    }


def _name(subject: str, values: dict[str, Any]) -> str:
    labels = dict(channel_choices.preference_channels())
    scope = values.get("event_type") or values.get("group") or "every type"
    if subject == "address":
        return f"{labels.get(values['kind'], values['kind'])}, removed since"
    if subject in {"channel", "digest"}:
        return f"{labels.get(values['channel'], values['channel'])} for {scope}"
    return str(Hours.Kind(values["kind"]).label) if subject == "hours" else str(scope)


def _text(subject: str, values: dict[str, Any] | None) -> str:
    return "" if values is None else ", ".join(filter(None, _PARTS[subject](values)))


def _address(values: dict[str, Any]) -> list[str]:
    disabled = values["disabled_at"] is not None
    return [
        "verified" if values["verified_at"] else "not verified",
        f"disabled: {values['disabled_reason']}" if disabled else "enabled",
        f"label {values['label']}" if values["label"] else "",
        f"address #{values['address']}",
    ]


def _channel(values: dict[str, Any]) -> list[str]:
    least = Priority(values["min_priority"])
    return [
        f"place {values['position'] + 1}" if values["enabled"] else "off",
        f"from {least.name}" if least > Priority.INFORMATIONAL else "",
    ]


def _hours(values: dict[str, Any]) -> list[str]:
    days = " ".join(Weekday(day).label[:2] for day in sorted(values["weekdays"]))
    return [f"{values['starts'][:5]} to {values['ends'][:5]}", days]


def _digest(values: dict[str, Any]) -> list[str]:
    return [
        values["mode"],
        f"{values['period_s']} s" if values["period_s"] else "",
        " ".join(one[:5] for one in values["times"] or ()),
    ]


_PARTS: dict[str, Any] = {
    "address": _address,
    "channel": _channel,
    "mute": lambda values: [f"until {values['until'][:16]}" if values["until"] else "until it is lifted"],
    "throttle": lambda values: [f"{values['at_most']} per {values['per_s']} s"],
    "digest": _digest,
    "hours": _hours,
    "piercing": lambda values: ["waits"],
}
