"""What the quotas of sources ask: how many events of a source there are, and which ids it has used."""

from collections.abc import Sequence
from datetime import datetime

from django.db.models import Count

from notifications import store
from notifications.models import Broadcast, Event
from notifications.states import EventState
from runtime.postgres.cursor import binary_cursor

Key = tuple[int, str]


def count_since(source_id: int, since: datetime) -> int:
    """Return how many events a source has sent since; one to a topic counts once."""
    sent = Event.objects.filter(source=source_id, accepted_at__gte=since, broadcast=None).count()
    return sent + Broadcast.objects.filter(source=source_id, accepted_at__gte=since).count()


def count_open(source_ids: Sequence[int]) -> dict[int, int]:
    """Return how many events of each source have not ended, without those that have none."""
    unfinished = Event.objects.filter(source__in=source_ids, state=EventState.ACCEPTED)
    return dict(unfinished.order_by().values_list("source").annotate(count=Count("pk")))


def known(keys: Sequence[Key]) -> set[Key]:
    """Return which of these (source, event id) are stored."""
    with binary_cursor() as cursor:
        cursor.execute(
            "SELECT source_id, event_id FROM notifications_event"
            " JOIN unnest(%b::bigint[], %b::text[]) AS k(source_id, event_id) USING (source_id, event_id)",
            [[source for source, _ in keys], [event_id for _, event_id in keys]],
        )
        found: set[Key] = set(cursor.fetchall())
    return found | store.taken_by_topics(keys)
