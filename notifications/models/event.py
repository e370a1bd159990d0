"""Events, and the cursor that numbers them in a person's inbox."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from notifications import states
from notifications.events import JsonObject
from notifications.models.broadcast import Broadcast
from notifications.models.choices import CHANNELS, PRIORITIES, choices
from notifications.models.ends import final_has_a_time, reply_due
from notifications.models.ordered_json import OrderedJSONField
from notifications.models.replay import Replay
from users.models import Source

# Later events of its keys wait for it: as in the conditions of `store/order`.
_UNFINISHED = Q(state=states.EventState.ACCEPTED) | Q(in_flight_until__isnull=False)


class Event(models.Model):
    """One accepted `UserEvent`, unique by source and event id."""

    source = models.ForeignKey(
        Source, on_delete=models.PROTECT, related_name="events", db_index=False
    )  # see event_by_source
    event_id = models.CharField(max_length=200)
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="events",
        db_index=False,  # see event_seq_once_per_person
    )
    seq = models.BigIntegerField(help_text="Gap-free per person, in commit order.")
    event_type = models.CharField(max_length=100)
    priority = models.SmallIntegerField(choices=PRIORITIES)
    occurred_at = models.DateTimeField(help_text="The producer's timestamp.")
    accepted_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    expiry_given = models.BooleanField(
        default=True,
        db_default=True,
        help_text="The producer set `expires_at`; otherwise it does not expire while it is held.",
    )
    silent = models.BooleanField(
        default=False, db_default=False, help_text="By the person's wishes, pages show it in the inbox alone."
    )
    payload = OrderedJSONField[JsonObject](default=dict)
    words = OrderedJSONField[JsonObject | None](
        null=True, blank=True, help_text="The producer's own words, if the event has some beside its payload."
    )
    raw = models.BinaryField(help_text="The bytes as the producer sent them.")
    digest = models.BinaryField(max_length=32)
    schema_version = models.IntegerField(default=0)
    version = models.BigIntegerField(default=0)
    collapse_key = models.CharField(max_length=200, blank=True)
    ordering_key = models.CharField(max_length=200, blank=True)
    correlation_id = models.CharField(max_length=200, blank=True)
    metadata = models.JSONField[JsonObject, JsonObject](default=dict)
    ack_timeout_ms = models.IntegerField(default=0)
    channels = models.JSONField[list[JsonObject], list[JsonObject]](
        default=list, help_text="The producer's ordered channel list; empty: the person's order."
    )
    plan = models.JSONField[list[JsonObject], list[JsonObject]](
        default=list, help_text="The steps that routing chose, in order."
    )
    trace = models.JSONField[list[JsonObject], list[JsonObject]](
        default=list, help_text="Every channel that routing considered, with its reason."
    )
    state = models.CharField(max_length=12, choices=choices(states.EventState))
    delivered_via = models.SmallIntegerField(null=True, blank=True, choices=CHANNELS)
    evidence = models.CharField(max_length=12, blank=True, choices=choices(states.Evidence))
    code = models.CharField(max_length=40, blank=True, help_text="Why it failed, machine-readable.")
    final_at = models.DateTimeField(null=True, blank=True)
    confirmed_at = models.DateTimeField(
        null=True, blank=True, help_text="First confirmation by the person's client, also a late one."
    )
    in_flight_until = models.DateTimeField(
        null=True,
        blank=True,
        editable=False,
        help_text="It ended while a send was under this lease: later events of its keys wait for the send.",
    )
    acknowledged_at = models.DateTimeField(
        null=True, blank=True, help_text="When the person acknowledged it, also late."
    )
    reply_to = models.CharField(max_length=8, blank=True)
    replied_at = models.DateTimeField(null=True, blank=True, help_text="Final ack put on the reply stream.")
    reply_read_at = models.DateTimeField(
        null=True, blank=True, help_text="The producer acknowledged that final ack."
    )
    topic = models.CharField(max_length=128, blank=True)
    broadcast = models.ForeignKey(
        Broadcast,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="events",
        db_index=False,  # see event_of_broadcast: most events have none
    )
    replay = models.ForeignKey(
        Replay,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="events",
        db_index=False,  # see event_of_replay
    )
    replay_count = models.SmallIntegerField(default=0)
    replay_due_at = models.DateTimeField(
        null=True, blank=True, help_text="When the first delivery of the last replay is due."
    )
    history = models.JSONField[list[JsonObject], list[JsonObject]](
        default=list, blank=True, help_text="How each acceptance before the last replay ended, oldest first."
    )
    seen_at = models.DateTimeField(null=True, blank=True)
    read_at = models.DateTimeField(null=True, blank=True)
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            # The id comes first: older clients name an event by its id alone.
            models.UniqueConstraint(fields=["event_id", "source"], name="event_once_per_source"),
            models.UniqueConstraint(fields=["person", "seq"], name="event_seq_once_per_person"),
            final_has_a_time("event_final_state_has_a_time"),
        ]
        # Few: an event is written three times, each time into every index.
        indexes: ClassVar = [
            models.Index(
                fields=["priority", "accepted_at"],
                condition=Q(state=states.EventState.ACCEPTED),
                name="event_unfinished",
            ),
            reply_due("event_reply_due"),
            models.Index(
                fields=["person"],
                condition=Q(read_at__isnull=True, archived_at__isnull=True),
                name="event_unread",
            ),
            models.Index(fields=["accepted_at"], name="event_by_time"),
            models.Index(fields=["source", "-id"], name="event_by_source"),
            models.Index(
                fields=["broadcast", "state"],
                condition=Q(broadcast__isnull=False),
                name="event_of_broadcast",
            ),
            models.Index(fields=["replay"], condition=Q(replay__isnull=False), name="event_of_replay"),
            models.Index(
                fields=["-id"], condition=Q(state=states.EventState.FAILED), name="event_dead_letters"
            ),
            # None of these three has a row of an event without keys.
            models.Index(
                fields=["person", "source", "ordering_key", "seq"],
                condition=_UNFINISHED & ~Q(ordering_key=""),
                name="event_in_order",
            ),
            models.Index(
                fields=["person", "source", "collapse_key", "version", "seq"],
                condition=_UNFINISHED & ~Q(collapse_key=""),
                name="event_to_collapse",
            ),
            models.Index(
                fields=["person", "source", "collapse_key", "version", "seq"],
                condition=~Q(collapse_key=""),
                name="event_newest_version",
            ),
        ]

    def __str__(self) -> str:
        return self.event_id


class DeadLetter(Event):
    """An event whose channels have all failed."""

    class Meta:
        proxy = True
        verbose_name = "dead letter"
        ordering: ClassVar = ["-id"]


class InboxCursor(models.Model):
    """The last `seq` of a person. The row is locked while an event is added: seq order is commit order."""

    person = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True)
    last_seq = models.BigIntegerField(default=0)
    epoch = models.UUIDField(default=uuid.uuid4, help_text="Changes when the sequence starts again.")

    def __str__(self) -> str:
        return f"{self.person_id}: {self.last_seq}"
