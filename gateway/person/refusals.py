"""Why something was not done, in the person's language: the API's codes as sentences."""

from gateway.codec.limits import InvalidEvent
from notifications.rendering.locales import gettext
from users.locales import gettext_noop
from users.people.values import Rejected

_SENTENCES = {
    "invalid_address": gettext_noop("This is no address of this kind. Look for a typing error."),
    "missing_field": gettext_noop("Something is missing: fill in the form."),
    "invalid_text": gettext_noop("This text cannot be used."),
    "too_long": gettext_noop("This text is too long."),
    "address_exists": gettext_noop("You have this address already."),
    "too_many_addresses": gettext_noop("You have as many addresses as are possible; remove one first."),
    "not_found": gettext_noop("It is not there any more."),
    "already_verified": gettext_noop("This address is verified; there is nothing to do."),
    "inactive_user": gettext_noop("Your account is disabled, and receives nothing."),
    "cannot_verify": gettext_noop(
        "No code can be sent to this address. Enable it first, or ask the operator."
    ),
    "unreadable": gettext_noop("This address cannot be read any more: remove it, and add it again."),
    "unverified": gettext_noop("Verify the address first: nothing is sent to one that is not verified."),
    "code_expired": gettext_noop("There is no code that could be entered: ask for a new one."),
    "mandatory": gettext_noop("These messages are mandatory: they cannot be muted."),
    "until_has_passed": gettext_noop("This time has passed."),
    "invalid_time": gettext_noop("Enter times of day, such as 22:00."),
    "invalid_preferences": gettext_noop("This does not fit together, or is there already."),
    "unknown_locale": gettext_noop("This language is not known."),
    "unknown_time_zone": gettext_noop("This time zone is not known."),
}


class Refused(Exception):
    """Something was not done; the text says why, in the person's language."""


def sentence(error: Refused | Rejected | InvalidEvent) -> str:
    """Return why, and what to do. Unknown codes have the API's own detail, in English."""
    if isinstance(error, Refused):
        return str(error)
    code, detail = (
        (error.remark.code, error.remark.detail)
        if isinstance(error, Rejected)
        else (error.code, error.detail)
    )
    known = _SENTENCES.get(code)
    return gettext(known) if known else detail
