"""The tab of a person's addresses: how each one fares, a test message, and what an operator may do to it."""

from collections.abc import Callable
from dataclasses import dataclass

from asgiref.sync import async_to_sync
from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from gateway.admin import tabs
from gateway.admin.address_health import health_of
from gateway.admin.tabs import Visit
from notifications.admin.destinations import send_code
from notifications.delivery import test_message
from notifications.delivery.test_message import TooManyTests
from notifications.transports.base import TransportError
from runtime.postgres import clock
from users import channel_choices
from users.models import Destination, User
from users.people import destinations
from users.people.destinations import DestinationChange
from users.people.values import Author, GivenAddress, Rejected

TAB = "addresses"

Say = str  # what the operator is told


class NotDone(Exception):
    """What was asked for was tried, and this is why it was not done."""


class AddressForm(forms.Form):
    kind = forms.TypedChoiceField(
        label="Channel",
        coerce=int,
        choices=channel_choices.destination_kinds,
        widget=UnfoldAdminSelectWidget,
    )
    address = forms.CharField(max_length=500, widget=UnfoldAdminTextInputWidget)
    label = forms.CharField(max_length=64, required=False, widget=UnfoldAdminTextInputWidget)

    def clean(self) -> None:
        values = self.cleaned_data
        if {"kind", "address"} <= values.keys():
            channel_choices.check_address(values["kind"], values["address"])


@dataclass(frozen=True, slots=True)
class _Deed:
    right: str
    do: Callable[[User, Destination, Author], Say]


def author(request: HttpRequest) -> Author:
    return Author(request.user.get_username(), may_vouch=True, is_operator=True)


def answer(visit: Visit) -> HttpResponse:
    """Show the addresses; do what a button says and show them again."""
    form = AddressForm(visit.request.POST if visit.request.POST.get("do") == "add" else None)
    form.fields["address"].help_text = f"{channel_choices.address_hints()}."
    if visit.request.method != "POST":
        return _page(visit, form)
    try:
        said = _add(visit, form) if form.is_bound else _do(visit)
    except (Rejected, NotDone) as error:
        messages.error(visit.request, error.remark.detail if isinstance(error, Rejected) else str(error))
    else:
        if said is None:
            return _page(visit, form)
        messages.success(visit.request, said)
    return HttpResponseRedirect(tabs.url(TAB, visit.person))


def _page(visit: Visit, form: AddressForm) -> HttpResponse:
    rights = {name: visit.may(f"users.{name}_destination") for name in ("add", "change", "delete")}
    found = health_of(visit.person)
    return visit.page(
        addresses=found, form=form, may=rights, is_muted=not any(one.is_usable for one in found)
    )


def _add(visit: Visit, form: AddressForm) -> Say | None:
    """Add the address. None: the form has errors."""
    visit.require("users.add_destination")
    if not form.is_valid():
        return None
    values = form.cleaned_data
    given = GivenAddress(values["kind"], values["address"], label=values["label"] or None)
    added, is_new = destinations.add(visit.person, given, by=author(visit.request), now=clock.now())
    return f"{added} was added. It is used once it is verified." if is_new else f"{added} was there already."


def _do(visit: Visit) -> Say:
    verb, _, pk = visit.request.POST.get("do", "").partition(":")
    if verb not in _DEEDS or not pk.isdecimal():
        raise Rejected(destinations.not_found())
    deed = _DEEDS[verb]
    visit.require(f"users.{deed.right}_destination")
    return deed.do(visit.person, destinations.find(visit.person, int(pk)), author(visit.request))


def _changed(change: DestinationChange, said: str) -> Callable[[User, Destination, Author], Say]:
    def do(person: User, one: Destination, by: Author) -> Say:
        destinations.change_one(person, one.pk, change, by=by, now=clock.now())
        return f"{one} {said}"

    return do


def _remove(person: User, one: Destination, by: Author) -> Say:
    destinations.remove(person, one.pk, by=by, now=clock.now())
    return f"{one} was removed."


def _send_code(person: User, one: Destination, by: Author) -> Say:
    refused = send_code(one)
    if refused:
        raise NotDone(refused)
    return f"{one}: a code was sent. The person enters it, or opens the link beside it."


def _test(person: User, one: Destination, by: Author) -> Say:
    try:
        prepared = test_message.prepare(person, one.pk)
        receipt = async_to_sync(test_message.send)(
            prepared.channel, prepared.address, prepared.message, wait_s=prepared.wait_s
        )
    except TooManyTests:
        detail = f"Enough tests of this address for now; again in {test_message.RETRY_AFTER_S} s."
        raise NotDone(detail) from None
    except TransportError as error:
        raise NotDone(f"{one}: the test was not sent: {error.reason}") from None
    proof = f" as {receipt.provider_message_id}" if receipt.provider_message_id else ""
    return f"{one}: the provider took the test message{proof}."


_DEEDS = {
    "test": _Deed("change", _test),
    "code": _Deed("change", _send_code),
    "verify": _Deed("change", _changed(DestinationChange(verified=True), "is verified, by your word.")),
    "enable": _Deed("change", _changed(DestinationChange(enabled=True), "is enabled.")),
    "disable": _Deed(
        "change", _changed(DestinationChange(enabled=False), "is disabled until it is enabled.")
    ),
    "remove": _Deed("delete", _remove),
}
