"""The only writer of events and deliveries.

Every change is a compare-and-set in one short transaction, along the table in `states`; none of them
waits for anything but Postgres. What has to happen afterwards is returned as an `Aftermath`.
"""

from notifications.store.accept import accept
from notifications.store.acceptance import Acceptance, Stored
from notifications.store.advance import give_up, skip_unpushed
from notifications.store.broadcasts import (
    Kept,
    begin,
    broadcasts_due,
    counts,
    keep,
    known,
    ring_after_doorbell,
    told,
    told_all,
)
from notifications.store.claim import GRACE_S, SLOT_LEAD_S, Claimed, LeaseLost, claim, postpone, release
from notifications.store.confirm import UnknownEvent, acknowledge, confirm
from notifications.store.record import (
    Failure,
    Success,
    defer,
    fail,
    lose,
    move_address,
    pushed,
    skip,
    succeed,
)
from notifications.store.replay import Rerouted, may_replay, open_replay, replay, replay_of
from notifications.store.replies import Ended, Tried, take_replies_due
from notifications.store.ring import rings_due, rings_due_in_parts
from notifications.store.topic_ids import taken_by_topics

__all__ = [
    "GRACE_S",
    "SLOT_LEAD_S",
    "Acceptance",
    "Claimed",
    "Ended",
    "Failure",
    "Kept",
    "LeaseLost",
    "Rerouted",
    "Stored",
    "Success",
    "Tried",
    "UnknownEvent",
    "accept",
    "acknowledge",
    "begin",
    "broadcasts_due",
    "claim",
    "confirm",
    "counts",
    "defer",
    "fail",
    "give_up",
    "keep",
    "known",
    "lose",
    "may_replay",
    "move_address",
    "open_replay",
    "postpone",
    "pushed",
    "release",
    "replay",
    "replay_of",
    "ring_after_doorbell",
    "rings_due",
    "rings_due_in_parts",
    "skip",
    "skip_unpushed",
    "succeed",
    "take_replies_due",
    "taken_by_topics",
    "told",
    "told_all",
]
