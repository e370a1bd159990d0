"""The person's addresses: add, verify, test, order, disable, remove."""

from collections.abc import Callable
from typing import TypeVar

from asgiref.sync import async_to_sync
from django.conf import settings
from django.db import connection
from django.http import HttpRequest, QueryDict

from gateway.api import links
from gateway.codec import people
from gateway.person.refusals import Refused
from gateway.person.shell import Values, page
from notifications.delivery import test_message, verifying
from notifications.delivery.test_message import TooManyTests
from notifications.rendering.locales import gettext
from notifications.states import Channel
from notifications.transports import registry
from notifications.transports.base import TransportError
from notifications.transports.spec import VerifiedBy
from runtime.postgres import clock
from users import verification
from users.models import Destination, User
from users.people import destinations
from users.people.destinations import DISABLED_BY_PERSON, REMOVED_BY_PERSON, DestinationChange
from users.people.tokens import TooMany
from users.people.values import Author
from users.verification import WrongCode

T = TypeVar("T")


def _read(request: HttpRequest, person: User) -> Values:
    rows = person.destinations.exclude(disabled_reason=REMOVED_BY_PERSON).order_by("kind", "position", "pk")
    channels = [
        {"channel": channel, "name": channel.name, "is_chat": spec.verified_by is VerifiedBy.CHAT,
         "rows": [_row(one, spec.verified_by) for one in rows if one.kind == channel]}
        for channel, spec in registry.channels().items()
        if spec.address is not None
    ]  # fmt: skip
    return {"channels": channels, "has_bot": bool(settings.TELEGRAM_BOT_TOKEN)}


def _row(one: Destination, verified_by: VerifiedBy) -> Values:
    disabled = one.disabled_at is not None
    return {
        "pk": one.pk,
        "address": one.plain_address or gettext("cannot be read any more"),
        "label": one.label,
        "verified": one.verified_at is not None,
        "disabled": disabled,
        "reason": _reason(one) if disabled else "",
        "advice": advice(one) if disabled else "",
        "recheck_at": one.recheck_at if disabled else None,
        "takes_codes": verified_by is VerifiedBy.CODE and not disabled and one.verified_at is None,
    }


def _reason(one: Destination) -> str:
    return gettext("You disabled it.") if one.disabled_reason == DISABLED_BY_PERSON else one.disabled_reason


def advice(one: Destination) -> str:
    """Return what the person can do about a disabled address."""
    if one.disabled_reason == DISABLED_BY_PERSON:
        return gettext("Enable it when you want messages there again.")
    if one.kind == Channel.TELEGRAM:
        return gettext("Open the chat with the bot in Telegram, press Start, then enable the address here.")
    if one.kind == Channel.EMAIL:
        return gettext(
            "See that the mailbox exists and has room, then enable the address here and send a test."
        )
    return gettext("Mend what the reason says, then enable the address here and send a test.")


# --- what the forms do ----------------------------------------------------------------------------------
def _pk(form: QueryDict) -> int:
    text = form.get("pk", "")
    return int(text) if text.isdecimal() and len(text) < 19 else 0


def _change(person: User, form: QueryDict, change: DestinationChange) -> Destination:
    by = Author(person.external_id)
    return destinations.change_one(person, _pk(form), change, by=by, now=clock.now())


def _add(person: User, form: QueryDict) -> str:
    fields = {name: form.get(name, "").strip() for name in ("channel", "address", "label")}
    body = {name: text for name, text in fields.items() if text}
    given = people.given_address(people.ADDRESS, body, "")
    _, is_new = destinations.add(person, given, by=Author(person.external_id), now=clock.now())
    if not is_new:
        return gettext("You have this address already.")
    return gettext("Added. Verify it: until then nothing is sent there.")


def _link(person: User, form: QueryDict) -> str:
    """Say where the person connects a chat: they open the link in Telegram, and confirm it there."""
    try:
        url = links.issue(person).url
    except TooMany:
        raise Refused(gettext("Use one of the links of the last ten minutes.")) from None
    except TransportError as error:
        text = gettext("Telegram does not answer now: %(reason)s. Try again later.")
        raise Refused(text % {"reason": error.reason}) from None
    return gettext("Open this link in Telegram within ten minutes, and confirm there: %(url)s") % {"url": url}


def _send_code(person: User, form: QueryDict) -> str:
    prepared = _limited(lambda: verifying.prepare(person, _pk(form), now=clock.now()))
    connection.close()  # none is held while the provider answers
    try:
        async_to_sync(verifying.send)(prepared)
    except TransportError as error:
        verification.withdraw(prepared.started.pk)
        raise Refused(gettext("The code could not be sent: %(reason)s") % {"reason": error.reason}) from None
    return gettext("A code is on its way. Enter it here within 15 minutes.")


def _confirm(person: User, form: QueryDict) -> str:
    code = form.get("code", "").strip()
    if not code:
        raise Refused(gettext("Enter the code that was sent to the address."))
    _limited(lambda: verification.confirm(person, _pk(form), code, now=clock.now()))
    return gettext("Verified: your messages can go there now.")


def _limited(what: Callable[[], T]) -> T:
    """Do what `users.verification` limits, and say so where it does."""
    try:
        return what()
    except WrongCode as error:
        if error.tries_left:
            raise Refused(gettext("This is not the latest code. Look again, and enter that one.")) from None
        raise Refused(gettext("This was not the code either, and the last try: ask for a new one.")) from None
    except TooMany as error:
        minutes = -(-error.retry_after_s // 60)
        text = gettext("You have had enough codes for now; ask again in %(minutes)d minutes.")
        raise Refused(text % {"minutes": minutes}) from None


def _test(person: User, form: QueryDict) -> str:
    outcome, is_sent = send_test(person, _pk(form))
    if not is_sent:
        raise Refused(outcome)
    return outcome


def send_test(person: User, pk: int) -> tuple[str, bool]:
    """Send a test message. Return what became of it, and whether the provider accepted it.

    Raises: `Rejected`.
    """
    one = destinations.find(person, pk)
    values = {"channel": gettext(registry.spec(Channel(one.kind)).label), "address": one.masked}
    try:
        test = test_message.prepare(person, pk)
        connection.close()  # none is held while the provider answers
        async_to_sync(test_message.send)(test.channel, test.address, test.message, wait_s=test.wait_s)
    except TooManyTests:
        return gettext(
            "%(channel)s, %(address)s: enough tests for now; try again in a minute."
        ) % values, False
    except TransportError as error:
        text = gettext("%(channel)s, %(address)s: the test did not arrive: %(reason)s")
        return text % {**values, "reason": error.reason}, False
    return gettext("%(channel)s, %(address)s: the test was accepted.") % values, True


def _earlier(person: User, form: QueryDict) -> str:
    one = destinations.find(person, _pk(form))
    of_channel = person.destinations.filter(kind=one.kind).exclude(disabled_reason=REMOVED_BY_PERSON)
    order = list(of_channel.order_by("position", "pk").values_list("pk", flat=True))
    _change(person, form, DestinationChange(position=max(order.index(one.pk) - 1, 0)))
    return gettext("The order was changed.")


def _enable(person: User, form: QueryDict) -> str:
    _change(person, form, DestinationChange(enabled=True))
    return gettext("Enabled. Send a test to see that it works.")


def _disable(person: User, form: QueryDict) -> str:
    _change(person, form, DestinationChange(enabled=False))
    return gettext("Disabled: nothing is sent there until you enable it.")


def _remove(person: User, form: QueryDict) -> str:
    destinations.remove(person, _pk(form), by=Author(person.external_id), now=clock.now())
    return gettext("Removed.")


addresses = page(
    "addresses",
    _read,
    {
        "add": _add,
        "link": _link,
        "send_code": _send_code,
        "confirm": _confirm,
        "test": _test,
        "earlier": _earlier,
        "enable": _enable,
        "disable": _disable,
        "remove": _remove,
    },
)
