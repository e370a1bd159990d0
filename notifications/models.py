"""The rows behind the guarantee. `store` writes events and deliveries; everybody else reads."""

import uuid
from enum import StrEnum
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from notifications import states
from notifications.events import JsonObject
from users.models import Destination, Source


def _choices(enum: type[StrEnum]) -> list[tuple[str, str]]:
    return [(member.value, member.value or "none") for member in enum]


CHANNELS = [(channel.value, channel.name) for channel in states.Channel]
PRIORITIES = [(priority.value, priority.name) for priority in states.Priority]


class Broadcast(models.Model):
    """One accepted event to a topic: told to each subscribed person as an `Event` of their own.

    `store.broadcasts` writes it. The row is the fan-out of record: what a crash left is continued from it.
    """

    id: "models.UUIDField[uuid.UUID, uuid.UUID]" = models.UUIDField(
        primary_key=True, default=uuid.uuid4, editable=False
    )
    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="broadcasts")
    event_id = models.CharField(max_length=200)
    topic = models.CharField(max_length=128)
    event_type = models.CharField(max_length=100)
    priority = models.SmallIntegerField(choices=PRIORITIES)
    accepted_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    content = models.JSONField[JsonObject, JsonObject](help_text="What else every person's event says.")
    raw = models.BinaryField(help_text="The bytes as the producer sent them.")
    digest = models.BinaryField(max_length=32)
    state = models.CharField(max_length=12, choices=_choices(states.EventState))
    told_up_to = models.BigIntegerField(default=0, help_text="Persons up to this id have their event.")
    told_at = models.DateTimeField(null=True, blank=True, help_text="When the last person had it.")
    ring_at = models.DateTimeField(
        null=True, blank=True, help_text="When the sweep looks at this row. Empty: it has ended."
    )
    counts = models.JSONField[dict[str, int], dict[str, int]](
        default=dict, blank=True, help_text="Persons by the state of their event, when it ended."
    )
    evidence = models.CharField(max_length=12, blank=True, choices=_choices(states.Evidence))
    code = models.CharField(max_length=40, blank=True, help_text="Why nobody had it, machine-readable.")
    final_at = models.DateTimeField(null=True, blank=True)
    reply_to = models.CharField(max_length=8, blank=True)
    replied_at = models.DateTimeField(null=True, blank=True, help_text="Final ack put on the reply stream.")

    class Meta:
        ordering: ClassVar = ["-accepted_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["source", "event_id"], name="broadcast_once_per_source"),
            models.CheckConstraint(
                condition=Q(state="accepted", final_at__isnull=True)
                | (~Q(state="accepted") & Q(final_at__isnull=False)),
                name="broadcast_final_state_has_a_time",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["ring_at"], condition=Q(ring_at__isnull=False), name="broadcast_to_ring"),
            models.Index(
                fields=["final_at"],
                condition=Q(replied_at__isnull=True, final_at__isnull=False) & ~Q(reply_to=""),
                name="broadcast_reply_due",
            ),
        ]

    def __str__(self) -> str:
        return self.event_id


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
    payload = models.JSONField[JsonObject, JsonObject](default=dict)
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
    state = models.CharField(max_length=12, choices=_choices(states.EventState))
    delivered_via = models.SmallIntegerField(null=True, blank=True, choices=CHANNELS)
    evidence = models.CharField(max_length=12, blank=True, choices=_choices(states.Evidence))
    code = models.CharField(max_length=40, blank=True, help_text="Why it failed, machine-readable.")
    final_at = models.DateTimeField(null=True, blank=True)
    confirmed_at = models.DateTimeField(
        null=True, blank=True, help_text="First confirmation by the person's client, also a late one."
    )
    acknowledged_at = models.DateTimeField(
        null=True, blank=True, help_text="When the person acknowledged it, also late."
    )
    reply_to = models.CharField(max_length=8, blank=True)
    replied_at = models.DateTimeField(null=True, blank=True, help_text="Final ack put on the reply stream.")
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
        "Replay",
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
            # The id first: a page's confirmation names the event and not its source.
            models.UniqueConstraint(fields=["event_id", "source"], name="event_once_per_source"),
            models.UniqueConstraint(fields=["person", "seq"], name="event_seq_once_per_person"),
            models.CheckConstraint(
                condition=Q(state="accepted", final_at__isnull=True)
                | (~Q(state="accepted") & Q(final_at__isnull=False)),
                name="event_final_state_has_a_time",
            ),
        ]
        # Few: an event is written three times, and each time into every index.
        indexes: ClassVar = [
            models.Index(
                fields=["priority", "accepted_at"], condition=Q(state="accepted"), name="event_unfinished"
            ),
            models.Index(
                fields=["final_at"],
                condition=Q(replied_at__isnull=True, final_at__isnull=False) & ~Q(reply_to=""),
                name="event_reply_due",
            ),
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
            models.Index(fields=["-id"], condition=Q(state="failed"), name="event_dead_letters"),
        ]

    def __str__(self) -> str:
        return self.event_id


class DeadLetter(Event):
    """An event whose channels are all used up."""

    class Meta:
        proxy = True
        verbose_name = "dead letter"
        ordering: ClassVar = ["-id"]


class Replay(models.Model):
    """Who had which events sent once more, and when. Written with the replay itself, never changed."""

    id: "models.UUIDField[uuid.UUID, uuid.UUID]" = models.UUIDField(
        primary_key=True, default=uuid.uuid4, editable=False
    )
    at = models.DateTimeField()
    surface = models.CharField(max_length=8, choices=_choices(states.Surface))
    who = models.CharField(max_length=200, help_text="A person, a source and its key, or a system user.")
    filter = models.JSONField[JsonObject, JsonObject](default=dict, blank=True)
    forced = models.BooleanField(default=False, help_text="Also what had been delivered before.")
    count = models.IntegerField(default=0, help_text="Events that were accepted anew.")
    paced_until = models.DateTimeField(help_text="When its last delivery is due.")

    class Meta:
        ordering: ClassVar = ["-at"]
        indexes: ClassVar = [models.Index(fields=["paced_until"], name="replay_by_pace")]

    def __str__(self) -> str:
        return str(self.id)


class Delivery(models.Model):
    """One event on one destination: its row is the idempotency record of the send."""

    id: "models.UUIDField[uuid.UUID, uuid.UUID]" = models.UUIDField(primary_key=True, editable=False)
    event = models.ForeignKey(
        Event, on_delete=models.CASCADE, related_name="deliveries", db_index=False
    )  # see delivery_once_per_step
    channel = models.SmallIntegerField(choices=CHANNELS)
    destination = models.ForeignKey(
        Destination, on_delete=models.SET_NULL, null=True, blank=True, db_index=False
    )  # see delivery_of_destination: a page has none
    position = models.SmallIntegerField(help_text="Index in the event's plan.")
    replay = models.SmallIntegerField(default=0, help_text="0: the first acceptance, 1: the first replay.")
    priority = models.SmallIntegerField(choices=PRIORITIES)
    state = models.CharField(max_length=12, choices=_choices(states.DeliveryState))
    attempts = models.SmallIntegerField(default=0)
    created_at = models.DateTimeField()
    not_before = models.DateTimeField(help_text="No try before this: a provider's Retry-After.")
    ring_at = models.DateTimeField(
        null=True, blank=True, help_text="When the sweep looks at this row. Empty: it has ended."
    )
    slot_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Reserved place within the provider's rate limit."
    )
    lease_token = models.UUIDField(null=True, blank=True, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True)
    ack_deadline = models.DateTimeField(null=True, blank=True)
    possible_duplicate = models.BooleanField(default=False)
    provider_message_id = models.CharField(max_length=200, blank=True)
    failure_kind = models.CharField(max_length=16, blank=True, choices=_choices(states.FailureKind))
    error = models.CharField(max_length=300, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "deliveries"
        ordering: ClassVar = ["event_id", "position"]
        constraints: ClassVar = [
            # One row a step; a replay adds steps of its own, so positions go on. A step is one destination.
            # WEB has none, and a removed one leaves none: rows without one do not exclude each other.
            models.UniqueConstraint(fields=["event", "position"], name="delivery_once_per_step"),
            models.UniqueConstraint(
                fields=["event", "replay", "channel", "destination"], name="delivery_once_per_destination"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["ring_at"], condition=Q(ring_at__isnull=False), name="delivery_to_ring"),
            models.Index(
                fields=["destination"],
                condition=Q(destination__isnull=False),
                name="delivery_of_destination",
            ),
        ]

    def __str__(self) -> str:
        return f"{states.Channel(self.channel).name} {self.state}"


class Attempt(models.Model):
    """One try of a delivery. Rows are only ever added."""

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="tries")
    number = models.SmallIntegerField()
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    outcome = models.CharField(max_length=16, choices=_choices(states.AttemptOutcome))
    error = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering: ClassVar = ["delivery", "id"]

    def __str__(self) -> str:
        return f"#{self.number} {self.outcome}"

    @property
    def latency_ms(self) -> int:
        return round((self.ended_at - self.started_at).total_seconds() * 1000)


class InboxCursor(models.Model):
    """The last `seq` of a person. Taken under a row lock, so that seq order is commit order."""

    person = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True)
    last_seq = models.BigIntegerField(default=0)
    epoch = models.UUIDField(default=uuid.uuid4, help_text="Changes when the sequence starts anew.")

    def __str__(self) -> str:
        return f"{self.person_id}: {self.last_seq}"


class Quarantine(models.Model):
    """Bytes that could not be taken in: from where, and why. Nothing that arrived is thrown away."""

    received_at = models.DateTimeField(default=timezone.now)
    ingress = models.CharField(max_length=16)
    entry_id = models.CharField(max_length=64, blank=True, help_text="Where the ingress had it.")
    source_name = models.CharField(max_length=64, blank=True)
    code = models.CharField(max_length=40)
    reason = models.CharField(max_length=300)
    content = models.BinaryField()

    class Meta:
        verbose_name_plural = "quarantine"
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["ingress", "entry_id"],
                condition=~Q(entry_id=""),
                name="quarantine_once_per_entry",
            )
        ]

    def __str__(self) -> str:
        return f"{self.ingress} {self.entry_id} {self.code}"
