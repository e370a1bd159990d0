"""One message of a draft, sent now to one verified destination, and marked as a test."""

from dataclasses import dataclass
from datetime import datetime

from asgiref.sync import async_to_sync

from notifications.authoring import drafts
from notifications.authoring.preview import Sample, preview
from notifications.delivery import test_message
from notifications.models import MessageTemplate
from notifications.operations.replay import Operator
from notifications.states import Channel
from notifications.transports import registry
from notifications.transports.base import TransportError
from users.encryption import Undecryptable
from users.models import Destination, User

_MARK = "Test: "  # nobody may take it for an event


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a test. `text` is for people, without an address."""

    sent: bool
    text: str


def destinations_of(person: User) -> list[Destination]:
    """Return the destinations that a test can be sent to."""
    rows = person.destinations.filter(verified_at__isnull=False, disabled_at__isnull=True)
    with_transport = {int(one) for one, spec in registry.channels().items() if spec.transport is not None}
    return [
        row
        for row in rows.order_by("kind", "pk")
        if row.kind in with_transport and not isinstance(row.address, Undecryptable)
    ]


def send(
    template: MessageTemplate, sample: Sample, destination: Destination, *, by: Operator, now: datetime
) -> Outcome:
    """Send the draft, and note who did. What the provider refuses is shown; nothing is retried."""
    outcome = _send(template, sample, destination, now)
    # No address, not even a masked one: these notes outlive the person.
    drafts.note_test(template.pk, f"to destination {destination.pk}: {outcome.text}", by=by, now=now)
    return outcome


def _send(template: MessageTemplate, sample: Sample, destination: Destination, now: datetime) -> Outcome:
    channel = Channel(destination.kind)
    shown = preview(template, sample, channel, now=now)  # the mark would be a title where there is none
    if not shown.uses_draft:
        return Outcome(False, shown.problem or f"another wording is used for {shown.label} with this sample")
    wait_s = test_message.reserve(channel, destination.address)
    if wait_s is None:
        return Outcome(False, "Enough tests of this address for now: one a minute.")
    try:
        message = preview(template, sample, channel, now=now, mark=_MARK).message
        async_to_sync(test_message.send)(channel, destination.address, message, wait_s=wait_s)
    except TransportError as error:
        reason = error.reason.replace(destination.address, "<address>")
        return Outcome(False, f"{error.outcome}: {reason}"[:200])
    return Outcome(True, f"{shown.label} accepted it")
