"""What nobody needs any more is deleted, and nothing else."""

from datetime import timedelta

from notifications.models import BotUpdate
from notifications.operations.expiry import forget_expired


def test_updates_are_kept_for_as_long_as_they_may_be_repeated(db, now) -> None:
    for hours in (47, 49):
        BotUpdate.objects.create(bot_id=1, update_id=hours, taken_at=now - timedelta(hours=hours))
    forget_expired(now=now)
    assert [update.update_id for update in BotUpdate.objects.all()] == [47]
