"""A person's order of channels, and those that are off, for one event type or for all."""

from collections.abc import Sequence
from typing import NamedTuple

from django.db import transaction

from users.models import ChannelPreference, User

PREFERENCES_OF_ONE = 1_000


class ChannelWish(NamedTuple):
    """One channel in the person's order; `event_type` "" is every type."""

    channel: int
    event_type: str = ""
    enabled: bool = True


def channels_of(person: User) -> list[ChannelWish]:
    """Return the wishes, for every type first, each type's in the person's order; without those of groups."""
    rows = person.channel_preferences.filter(group=None).order_by("event_type", "position", "pk")
    return [ChannelWish(row.channel, row.event_type, row.enabled) for row in rows]


@transaction.atomic
def set_channels(person: User, wishes: Sequence[ChannelWish]) -> None:
    """Replace the wishes but those of groups. Those of one event type are in the person's order.

    From which priority on a channel is used stays as it is.
    """
    User.objects.select_for_update(no_key=True).only("pk").get(pk=person.pk)
    replaced = person.channel_preferences.filter(group=None)
    priorities = {(row.event_type, row.channel): row.min_priority for row in replaced}
    replaced.delete()
    ChannelPreference.objects.bulk_create(
        ChannelPreference(
            user=person,
            event_type=wish.event_type,
            channel=wish.channel,
            position=position,
            enabled=wish.enabled,
            min_priority=priorities.get((wish.event_type, wish.channel), 0),
        )
        for position, wish in enumerate(wishes)
    )
