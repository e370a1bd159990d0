"""What would happen to a CRITICAL event now, and a drill that tries it."""

from django.http import HttpRequest, QueryDict

from gateway.api.reachability import ReachedChannel, reachability
from gateway.person.addresses import send_test
from gateway.person.refusals import Refused
from gateway.person.shell import Values, page
from notifications.rendering.locales import gettext
from notifications.states import Channel, HoldReason, SkipReason
from users.locales import gettext_noop
from users.models import Destination, User
from users.people.destinations import REMOVED_BY_PERSON
from users.people.values import Rejected

_REASONS: dict[str, str] = {
    "usable": gettext_noop("It is tried."),
    "online": gettext_noop("A page of yours is open: it comes there."),
    "mandatory": gettext_noop("It is tried: these messages are mandatory."),
    SkipReason.NO_SESSION: gettext_noop("No page of yours is open."),
    SkipReason.NO_DESTINATION: gettext_noop("You have no address there."),
    SkipReason.UNVERIFIED: gettext_noop("The address is not verified."),
    SkipReason.SWITCHED_OFF: gettext_noop("You have switched it off."),
    SkipReason.BELOW_PRIORITY: gettext_noop("You want only more urgent messages there."),
    SkipReason.UNSUPPORTED: gettext_noop("Nothing can be sent there yet."),
}
_HELD: dict[str, str] = {
    HoldReason.QUIET_HOURS: gettext_noop("Other messages wait now: these are your quiet hours."),
    HoldReason.SEND_WINDOW: gettext_noop("Other messages wait now: it is outside your send windows."),
}


def _read(request: HttpRequest, person: User) -> Values:
    found = reachability(person)
    addresses = {one.pk: one for one in person.destinations.all()}
    held = found["held"]
    return {
        "channels": [_channel(entry, addresses) for entry in found["channels"]],
        "is_reached": any(entry["usable"] for entry in found["channels"]),
        "has_address": any(one["usable"] for entry in found["channels"] for one in entry["destinations"]),
        "held": held and gettext(_HELD.get(held["reason"], _HELD[HoldReason.QUIET_HOURS])),
        "held_until": held and held["until"],
    }


def _channel(entry: ReachedChannel, addresses: dict[int, Destination]) -> Values:
    rows = [
        {"address": addresses[one["id"]].masked, "usable": one["usable"], "reason": _reason(one["reason"])}
        for one in entry["destinations"]
        if one["id"] in addresses and addresses[one["id"]].disabled_reason != REMOVED_BY_PERSON
    ]
    reason = _reason(entry["reason"])
    return {"channel": Channel[entry["channel"]], "usable": entry["usable"], "reason": reason, "rows": rows}


def _reason(reason: str) -> str:
    if reason.startswith("pierces"):
        return gettext("It is tried, in spite of your mutes and quiet hours.")
    if reason.startswith("disabled"):
        return gettext("The address is disabled:") + reason.removeprefix("disabled:")
    return gettext(_REASONS[reason]) if reason in _REASONS else reason


def _drill(person: User, form: QueryDict) -> str:
    """Send a test to each address that a CRITICAL event would use, in its order."""
    found = reachability(person)
    usable = [one["id"] for entry in found["channels"] for one in entry["destinations"] if one["usable"]]
    if not usable:
        raise Refused(gettext("There is no address to try: add and verify one."))
    outcomes = [_tried(person, pk) for pk in usable]
    said = "\n".join(text for text, _ in outcomes)
    if not all(is_sent for _, is_sent in outcomes):
        raise Refused(said)
    return said


def _tried(person: User, pk: int) -> tuple[str, bool]:
    try:
        return send_test(person, pk)
    except Rejected as error:  # it was removed or disabled meanwhile
        return error.remark.detail, False


reach = page("reachability", _read, {"drill": _drill})
