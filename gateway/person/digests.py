"""Digests on the page of wishes: what goes together as one message, by the rules of the API."""

from typing import Any

from django.http import QueryDict

from gateway.api import preferences
from gateway.auth.callers import Caller
from gateway.person.matrix import scope_of
from gateway.person.shell import Values
from notifications.rendering.locales import gettext
from notifications.states import Channel
from notifications.transports import registry
from users.locales import gettext_noop
from users.models import User

# By the value of the form: the mode, and its period in seconds.
CHOICES = {
    "INTERVAL-900": gettext_noop("together, every 15 minutes"),
    "INTERVAL-3600": gettext_noop("together, every hour"),
    "INTERVAL-14400": gettext_noop("together, every four hours"),
    "REPEATS-3600": gettext_noop("the first at once, more of its type together after an hour"),
    "SCHEDULE-0": gettext_noop("together, every day at the time beside"),
    "OFF-0": gettext_noop("each at once"),
}


def read(person: User) -> Values:
    return {
        "digests": [_shown(one) for one in preferences.SECTIONS["digests"].read(person)],
        "digest_channels": [
            channel for channel, spec in registry.channels().items() if spec.address is not None
        ],
        "digest_choices": {value: gettext(label) for value, label in CHOICES.items()},
    }


def _shown(one: dict[str, Any]) -> Values:
    kind, name = ("type", one["event_type"]) if one["event_type"] else ("group", one["group"])
    return {
        "channel": Channel[one["channel"]],
        "name": one["channel"],
        "type": one["event_type"],
        "group": one["group"],
        "of": f"{kind}:{name}" if name else "",
        "said": _said(one),
    }


def _said(one: dict[str, Any]) -> str:
    if one["mode"] == "SCHEDULE":
        return gettext("together, at %(times)s") % {"times": ", ".join(one["times"])}
    known = CHOICES.get(f"{one['mode']}-{one['period_s'] or 0}")
    if known:
        return gettext(known)
    return gettext("together, within %(seconds)d seconds") % {"seconds": one["period_s"]}


def add(person: User, form: QueryDict) -> str:
    mode, _, period = form.get("how", "").partition("-")
    of = scope_of(form).to_json()
    made: dict[str, Any] = {"channel": form.get("channel", ""), "mode": mode, **of}
    if mode == "SCHEDULE":
        made["times"] = [form.get("time", "")]
    elif period.isdecimal() and len(period) < 9 and int(period):
        made["period_s"] = int(period)
    preferences.replace(person, {"digests": [*_others(person, made), made]}, by=Caller(person=person))
    return gettext("Saved.")


def remove(person: User, form: QueryDict) -> str:
    named = {"channel": form.get("channel", ""), **scope_of(form).to_json()}
    preferences.replace(person, {"digests": _others(person, named)}, by=Caller(person=person))
    return gettext("Removed.")


def _others(person: User, named: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the digests but the one of this channel and type or group, as the API takes them."""
    return [
        {name: value for name, value in one.items() if value}
        for one in preferences.SECTIONS["digests"].read(person)
        if any(one[name] != named[name] for name in ("channel", "event_type", "group"))
    ]
