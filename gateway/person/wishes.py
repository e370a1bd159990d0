"""What the person wishes: channels and their order, mutes, quiet hours, and their language and time zone."""

from dataclasses import replace as with_changes
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import available_timezones

from django.http import HttpRequest, QueryDict
from django.utils import timezone

from gateway.api import mutes, preferences
from gateway.auth.callers import Caller, acting_as
from gateway.codec import people
from gateway.codec.people import checked_object
from gateway.codec.wishes import PREFERENCES, WEEKDAYS
from gateway.person import digests, matrix
from gateway.person.matrix import OFF, Scope, scope_of
from gateway.person.refusals import Refused
from gateway.person.shell import Values, page
from notifications.live.frames import to_ms
from notifications.rendering.locales import gettext
from notifications.states import Priority
from runtime.postgres import clock
from users.locales import gettext_noop
from users.models import EventGroup, Mute, User
from users.people import preferences as stored
from users.people.preferences import ChannelWish
from users.people.values import Author, Change, Mode, Rejected
from users.people.write import apply

LEVELS = {
    Priority.INFORMATIONAL.name: gettext_noop("Everything"),
    Priority.NORMAL.name: gettext_noop("Normal and critical"),
    Priority.CRITICAL.name: gettext_noop("Critical only"),
    OFF: gettext_noop("Off"),
}
DAYS = {
    "MONDAY": gettext_noop("Monday"),
    "TUESDAY": gettext_noop("Tuesday"),
    "WEDNESDAY": gettext_noop("Wednesday"),
    "THURSDAY": gettext_noop("Thursday"),
    "FRIDAY": gettext_noop("Friday"),
    "SATURDAY": gettext_noop("Saturday"),
    "SUNDAY": gettext_noop("Sunday"),
}
_LANGUAGES = {"en": "English", "de": "Deutsch", "zh": "中文"}
_MORNING = time(8)


def _read(request: HttpRequest, person: User) -> Values:
    rows, other_types = matrix.read(person)
    sections = {name: section.read(person) for name, section in preferences.SECTIONS.items()}
    groups = list(EventGroup.objects.all())
    return {
        "rows": rows,
        "other_types": other_types,
        "levels": {name: gettext(label) for name, label in LEVELS.items()},
        "days": {name: gettext(label) for name, label in DAYS.items()},
        "mutes": [_mute(one) for one in stored.mutes_of(person, now=clock.now())],
        "hours": [_hours(sections, "quiet_hours"), _hours(sections, "send_windows")],
        "not_piercing": sections["not_piercing"],
        "optional_groups": [group for group in groups if group.may_opt_out_of_piercing],
        "throttles": [one | {"of": _named(one["event_type"], one["group"])} for one in sections["throttles"]],
        **digests.read(person),
        "languages": {**_LANGUAGES, person.locale: _LANGUAGES.get(person.locale, person.locale)},
        "time_zones": sorted(available_timezones()),
    }


def _mute(one: Mute) -> Values:
    label = one.group.label or one.group.name if one.group else ""
    return {"pk": one.pk, "type": one.event_type, "group": label, "until": one.until}


def _hours(sections: Values, kind: str) -> Values:
    spans = [
        span
        | {
            "key": _key(span),
            "days": ", ".join(gettext(DAYS[day]) for day in span["weekdays"])
            if len(span["weekdays"]) < 7
            else gettext("Every day"),
        }
        for span in sections[kind]
    ]
    return {"kind": kind, "spans": spans}


def _key(span: dict[str, Any]) -> str:
    return f"{','.join(span['weekdays'])} {span['starts']} {span['ends']}"


def _named(event_type: str, group: str) -> str:
    return event_type or group


# --- the matrix -----------------------------------------------------------------------------------------
def _set_row(person: User, form: QueryDict) -> str:
    """Store the levels of a row, and the order with `up`, a channel that goes one place earlier."""
    scope = scope_of(form)
    cells = [
        with_changes(cell, level=form.get(f"level-{cell.channel.name}", cell.level))
        for cell in matrix.row_of(person, scope).cells
    ]
    cells = matrix.moved_up(cells, form.get("up", ""))
    given = [
        {
            "channel": cell.channel.name,
            "enabled": cell.level != OFF,
            "min_priority": Priority.INFORMATIONAL.name if cell.level == OFF else cell.level,
            **scope.to_json(),
        }
        for cell in cells
    ]
    wishes = checked_object(PREFERENCES, {"channels": given}, "")["channels"]
    _store_row(person, scope, wishes)
    return gettext("Saved.")


def _add_row(person: User, form: QueryDict) -> str:
    if not form.get("of", "").startswith("type:"):
        raise Refused(gettext("Choose a type first."))
    return _set_row(person, form)


def _reset_row(person: User, form: QueryDict) -> str:
    scope = scope_of(form)
    _store_row(person, scope, [])
    return gettext("This row follows the wider ones again.")


def _store_row(person: User, scope: Scope, wishes: list[ChannelWish]) -> None:
    with acting_as(Caller(person=person)):
        stored.set_channels_of(person, scope.event_type, scope.group, wishes)
    preferences.look_again(person)


# --- mutes ----------------------------------------------------------------------------------------------
def _snooze(person: User, form: QueryDict) -> str:
    until = _until(form.get("for", ""), clock.now())
    body: dict[str, Any] = scope_of(form).to_json()
    mutes.mute(person, body if until is None else body | {"until": to_ms(until)}, by=Caller(person=person))
    return gettext("Muted. It stays in the inbox; critical messages still reach you.")


def _until(text: str, now: datetime) -> datetime | None:
    """Return the end: after so many hours, or next morning on the person's clock. None: when they lift it."""
    if text == "morning":
        local = timezone.localtime(now)
        morning = local.replace(hour=_MORNING.hour, minute=0, second=0, microsecond=0)
        return morning if morning > local else morning + timedelta(days=1)
    return now + timedelta(hours=int(text)) if text in {"1", "4", "24"} else None


def _lift(person: User, form: QueryDict) -> str:
    text = form.get("pk", "")
    mutes.lift(person, int(text) if text.isdecimal() and len(text) < 19 else 0, by=Caller(person=person))
    return gettext("No longer muted.")


# --- hours, throttles, what pierces ---------------------------------------------------------------------
def _section(form: QueryDict) -> str:
    kind = form.get("kind", "")
    if kind not in {"quiet_hours", "send_windows"}:
        raise Refused(gettext("This page is out of date: load it again."))
    return kind


def _add_hours(person: User, form: QueryDict) -> str:
    kind = _section(form)
    days = [day for day in WEEKDAYS if day in form.getlist("weekdays")] or WEEKDAYS
    span = {"weekdays": days, "starts": form.get("starts", ""), "ends": form.get("ends", "")}
    preferences.replace(
        person, {kind: [*preferences.SECTIONS[kind].read(person), span]}, by=Caller(person=person)
    )
    return gettext("Saved.")


def _remove_hours(person: User, form: QueryDict) -> str:
    kind, key = _section(form), form.get("key", "")
    kept = [span for span in preferences.SECTIONS[kind].read(person) if _key(span) != key]
    preferences.replace(person, {kind: kept}, by=Caller(person=person))
    return gettext("Removed.")


def _add_throttle(person: User, form: QueryDict) -> str:
    of = scope_of(form).to_json()
    others = [one for one in preferences.SECTIONS["throttles"].read(person) if not _is_of(one, of)]
    numbers = {"at_most": _count(form, "at_most"), "per_s": _count(form, "per_s")}
    preferences.replace(person, {"throttles": [*others, numbers | of]}, by=Caller(person=person))
    return gettext("Saved.")


def _count(form: QueryDict, name: str) -> int:
    text = form.get(name, "")
    if not text.isdecimal() or len(text) > 9:
        raise Refused(gettext("Enter a number."))
    return int(text)


def _remove_throttle(person: User, form: QueryDict) -> str:
    of = {"event_type": form.get("event_type", ""), "group": form.get("group", "")}
    kept = [one for one in preferences.SECTIONS["throttles"].read(person) if not _is_of(one, of)]
    preferences.replace(person, {"throttles": kept}, by=Caller(person=person))
    return gettext("Removed.")


def _is_of(one: dict[str, Any], of: dict[str, str]) -> bool:
    return (one["event_type"], one["group"]) == (of["event_type"], of["group"])


def _set_piercing(person: User, form: QueryDict) -> str:
    preferences.replace(person, {"not_piercing": form.getlist("not_piercing")}, by=Caller(person=person))
    return gettext("Saved.")


# --- language and time zone -----------------------------------------------------------------------------
def _set_profile(person: User, form: QueryDict) -> str:
    given = {name: form.get(name, "") for name in ("locale", "time_zone") if form.get(name)}
    details = people.details_of(people.OWN, given)
    change = Change(person.external_id, details, Mode.PATCH, Author(person.external_id))
    [outcome] = apply([change], now=clock.now())
    if outcome.rejected is not None:
        raise Rejected(outcome.rejected)
    return gettext("Saved.")


settings = page(
    "settings",
    _read,
    {
        "row": _set_row,
        "add_row": _add_row,
        "reset": _reset_row,
        "snooze": _snooze,
        "lift": _lift,
        "add_hours": _add_hours,
        "remove_hours": _remove_hours,
        "add_throttle": _add_throttle,
        "remove_throttle": _remove_throttle,
        "add_digest": digests.add,
        "remove_digest": digests.remove,
        "piercing": _set_piercing,
        "profile": _set_profile,
    },
)
