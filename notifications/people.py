"""Reading persons as routing needs them: three queries for a whole batch."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta

from notifications.route import Address, Person, Preference
from notifications.states import Channel
from users.models import ChannelPreference, Destination, User


def load(external_ids: Iterable[str], *, now: datetime, active_s: int) -> dict[str, Person]:
    """Return the active persons among `external_ids`, by external id, with addresses and preferences."""
    users = list(
        User.objects.filter(external_id__in=set(external_ids), is_active=True).values_list(
            "id", "external_id", "time_zone"
        )
    )
    ids = [user_id for user_id, _, _ in users]
    addresses = _addresses(ids, now - timedelta(seconds=active_s))
    preferences = _preferences(ids)
    return {
        external_id: Person(
            user_id, external_id, time_zone, tuple(addresses[user_id]), tuple(preferences[user_id])
        )
        for user_id, external_id, time_zone in users
    }


def _addresses(user_ids: list[int], active_since: datetime) -> dict[int, list[Address]]:
    found: dict[int, list[Address]] = defaultdict(list)
    rows = Destination.objects.filter(user_id__in=user_ids).order_by("kind", "id")
    for pk, user_id, kind, verified_at, disabled_at, reason, inbound_at in rows.values_list(
        "id", "user_id", "kind", "verified_at", "disabled_at", "disabled_reason", "last_inbound_at"
    ):
        found[user_id].append(
            Address(
                id=pk,
                channel=Channel(kind),
                verified=verified_at is not None,
                disabled_reason=(reason or "disabled") if disabled_at else "",
                active=inbound_at is not None and inbound_at > active_since,
            )
        )
    return found


def _preferences(user_ids: list[int]) -> dict[int, list[Preference]]:
    found: dict[int, list[Preference]] = defaultdict(list)
    rows = ChannelPreference.objects.filter(user_id__in=user_ids)
    for user_id, event_type, channel, position, enabled in rows.values_list(
        "user_id", "event_type", "channel", "position", "enabled"
    ):
        found[user_id].append(Preference(event_type, Channel(channel), position, enabled))
    return found
