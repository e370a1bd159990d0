"""Destinations, with what their channels declare about them: how an address is verified."""

from asgiref.sync import async_to_sync
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from notifications.delivery import verifying
from notifications.states import Channel
from notifications.transports import registry
from notifications.transports.base import TransportError
from notifications.transports.spec import VerifiedBy
from runtime.postgres import clock
from users.admin import DestinationAdmin as Addresses
from users.models import Destination
from users.people.tokens import TooMany
from users.people.values import Rejected

_WAYS = {
    VerifiedBy.CODE: "by a code or a link that is sent there",
    VerifiedBy.CHAT: "by a link that the person opens in the chat",
    VerifiedBy.OPERATOR: "by an operator, or a source that vouches for it",
}

admin.site.unregister(Destination)


@admin.register(Destination)
class DestinationAdmin(Addresses):
    readonly_fields = (*Addresses.readonly_fields, "is_verified")
    actions = (*Addresses.actions, "send_code")

    @admin.display(description="is verified")
    def is_verified(self, destination: Destination) -> str:
        if destination.kind is None:  # the page that adds one
            return "as its channel says"
        return _WAYS[registry.spec(Channel(destination.kind)).verified_by]

    @admin.action(description="Send a verification code", permissions=["change"])
    def send_code(self, request: HttpRequest, queryset: QuerySet[Destination]) -> None:
        for destination in queryset.select_related("user"):
            refused = send_code(destination)
            level = messages.WARNING if refused else messages.SUCCESS
            messages.add_message(request, level, f"{destination}: {refused or 'a code was sent'}")


def send_code(destination: Destination) -> str:
    """Send a code; return why it was not sent, or ""."""
    try:
        prepared = verifying.prepare(destination.user, destination.pk, now=clock.now())
        async_to_sync(verifying.send)(prepared)
    except Rejected as error:
        return error.remark.detail
    except TooMany as error:
        return f"enough codes for now; again in {error.retry_after_s} s"
    except TransportError as error:
        return f"the code was not sent: {error.reason}"
    return ""
