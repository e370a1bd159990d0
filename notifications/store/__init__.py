"""The only writer of events and deliveries.

Every change is a compare-and-set in one short transaction, along the transitions in `states`, and waits
for nothing but Postgres. It returns what must happen after the commit, as `Effects`.
"""

from notifications.store import backlog, broadcasts, edits, erasure, inbox
from notifications.store.accept import accept
from notifications.store.acceptance import Acceptance, Stored, acceptance, expires_at
from notifications.store.broadcasts import Kept
from notifications.store.claim import (
    GRACE_S,
    SLOT_LEAD_S,
    Claimed,
    LeaseLost,
    claim,
    claim_digest,
    postpone,
    release,
)
from notifications.store.confirm import AmbiguousEvent, Pressed, UnknownEvent, acknowledge, confirm
from notifications.store.destinations import enable_for_recheck, move_address
from notifications.store.due import Due, collected, look_up
from notifications.store.give_up import expire, give_up, skip_unpushed
from notifications.store.holds import Hold, hold, look_again, open_digests, trace_line
from notifications.store.next_step import with_next
from notifications.store.order import LOOKED_AT, look_again_at, next_in_line, wait_for_turn
from notifications.store.order import trace_line as order_line
from notifications.store.outcomes import (
    Failure,
    Success,
    record_deferred,
    record_failed,
    record_left,
    record_pushed,
    record_sent,
    record_skipped,
    record_unknown,
)
from notifications.store.replay import Rerouted, may_replay, open_replay, replay, replay_of
from notifications.store.replies import (
    Ended,
    Tried,
    make_replies_due,
    note_replies_read,
    replies_held,
    reply_key,
    reply_sent_at,
    stream_sources,
    take_broadcast_replies_due,
    take_replies_due,
)
from notifications.store.restored import declare_restored
from notifications.store.sweep import PRIORITIES as SWEPT_PRIORITIES
from notifications.store.sweep import Places, sweep_deliveries, sweep_deliveries_in_parts
from notifications.store.topic_ids import taken_by_topics

__all__ = [
    "GRACE_S",
    "LOOKED_AT",
    "SLOT_LEAD_S",
    "SWEPT_PRIORITIES",
    "Acceptance",
    "AmbiguousEvent",
    "Claimed",
    "Due",
    "Ended",
    "Failure",
    "Hold",
    "Kept",
    "LeaseLost",
    "Places",
    "Pressed",
    "Rerouted",
    "Stored",
    "Success",
    "Tried",
    "UnknownEvent",
    "accept",
    "acceptance",
    "acknowledge",
    "backlog",
    "broadcasts",
    "claim",
    "claim_digest",
    "collected",
    "confirm",
    "declare_restored",
    "edits",
    "enable_for_recheck",
    "erasure",
    "expire",
    "expires_at",
    "give_up",
    "hold",
    "inbox",
    "look_again",
    "look_again_at",
    "look_up",
    "make_replies_due",
    "may_replay",
    "move_address",
    "next_in_line",
    "note_replies_read",
    "open_digests",
    "open_replay",
    "order_line",
    "postpone",
    "record_deferred",
    "record_failed",
    "record_left",
    "record_pushed",
    "record_sent",
    "record_skipped",
    "record_unknown",
    "release",
    "replay",
    "replay_of",
    "replies_held",
    "reply_key",
    "reply_sent_at",
    "skip_unpushed",
    "stream_sources",
    "sweep_deliveries",
    "sweep_deliveries_in_parts",
    "take_broadcast_replies_due",
    "take_replies_due",
    "taken_by_topics",
    "trace_line",
    "wait_for_turn",
    "with_next",
]
