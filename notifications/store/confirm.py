"""A confirmation from the person's client: the strongest end that a send can have."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from notifications import crash_points
from notifications.events import Aftermath

_FIND = """
SELECT e.id, e.state = 'accepted' FROM notifications_event e
JOIN unnest(%s::bigint[], %s::text[]) AS g(person_id, event_id)
  ON e.person_id = g.person_id AND e.event_id = g.event_id
WHERE e.confirmed_at IS NULL ORDER BY e.id FOR UPDATE OF e
"""

_CONFIRM_EVENTS = """
UPDATE notifications_event SET confirmed_at = %(now)s,
    delivered_via = CASE WHEN state = 'accepted' THEN 1 ELSE delivered_via END,
    evidence = CASE WHEN state = 'accepted' THEN 'client' ELSE evidence END,
    final_at = CASE WHEN state = 'accepted' THEN %(now)s ELSE final_at END,
    state = CASE WHEN state = 'accepted' THEN 'delivered' ELSE state END
WHERE id = ANY(%(ids)s)
"""

# What had failed before a replay stays as it was.
_CONFIRM_DELIVERIES = """
UPDATE notifications_delivery d
SET state = 'confirmed', lease_token = NULL, ring_at = NULL, ended_at = %(now)s
FROM notifications_event e
WHERE e.id = d.event_id AND e.id = ANY(%(ids)s) AND d.replay = e.replay_count
  AND d.channel = 1 AND d.state IN ('pending', 'sending', 'sent', 'failed')
"""

# A send that is in flight is left to its worker; it finds the event ended and changes nothing.
_CANCEL_OTHERS = """
UPDATE notifications_delivery SET state = 'cancelled', lease_token = NULL, ring_at = NULL, ended_at = %(now)s
WHERE event_id = ANY(%(ids)s) AND channel <> 1 AND ring_at IS NOT NULL
  AND state IN ('pending', 'deferred', 'unknown')
"""


def confirm(confirmations: Sequence[tuple[int, str]], *, now: datetime) -> Aftermath:
    """Record that the clients of persons have these events: pairs of person id and event id.

    An event that has not ended becomes DELIVERED via WEB with CLIENT evidence, and what has not been
    started on other channels is cancelled. A late confirmation is noted and changes no end. Ids of
    other persons and unknown ids are ignored.
    """
    people, event_ids = zip(*confirmations, strict=True)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_FIND, [list(people), list(event_ids)])
        found: dict[int, bool] = dict(cursor.fetchall())
        if not found:
            return Aftermath()
        given: Any = {"now": now, "ids": list(found)}
        cursor.execute(_CONFIRM_EVENTS, given)
        cursor.execute(_CONFIRM_DELIVERIES, given)
        cursor.execute(_CANCEL_OTHERS, given)
        crash_points.passing("confirm_before_commit")
    return Aftermath(finals=[pk for pk, unfinished in found.items() if unfinished])
