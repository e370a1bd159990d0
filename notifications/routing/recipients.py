"""Reading recipients as routing needs them: two or three statements for a whole batch."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from notifications import store
from notifications.events import Address, OpenDigest, Recipient
from notifications.routing.stored_rules import Rules, read_rules
from notifications.states import Channel
from runtime.postgres.cursor import binary_cursor

_PERSONS = """
SELECT u.external_id, u.id, u.time_zone, u.locale, d.id, d.kind, d.verified_at IS NOT NULL,
       CASE WHEN d.disabled_at IS NULL THEN '' ELSE coalesce(nullif(d.disabled_reason, ''), 'disabled') END,
       coalesce(d.last_inbound_at > %b, false)
FROM users_user u LEFT JOIN users_destination d ON d.user_id = u.id
WHERE u.external_id = ANY(%b::text[]) AND u.is_active
ORDER BY u.id, d.kind, d.position, d.id
"""


def load(external_ids: Iterable[str], *, now: datetime, active_s: int) -> dict[str, Recipient]:
    """Return the active persons among `external_ids`, by external id, with addresses and wishes."""
    recipients: dict[str, Recipient] = {}
    addresses: dict[int, list[Address]] = defaultdict(list)
    with binary_cursor() as cursor:
        cursor.execute(_PERSONS, [now - timedelta(seconds=active_s), list(set(external_ids))])
        for external_id, person_id, time_zone, locale, *address in cursor:
            recipients[external_id] = Recipient(person_id, external_id, time_zone, locale)
            if address[0] is not None:
                addresses[person_id].append(_address(*address))
    rules = read_rules([recipient.id for recipient in recipients.values()]) if recipients else Rules()
    waiting = _open_digests(rules, addresses, now)
    return {
        external_id: replace(
            recipient,
            addresses=tuple(addresses[recipient.id]),
            preferences=rules.preferences_of(recipient.id),
            wishes=rules.wishes_of(recipient.id),
            policy=rules.policy,
            open_digests=tuple(waiting[recipient.id]) if waiting else (),
        )
        for external_id, recipient in recipients.items()
    }


def _open_digests(
    rules: Rules, addresses: Mapping[int, Sequence[Address]], now: datetime
) -> dict[int, list[OpenDigest]]:
    """Return what waits for each person whose digests count from the first one that waits."""
    owners = {
        address.id: person_id
        for person_id, some in addresses.items()
        if rules.collects(person_id)
        for address in some
    }
    found: dict[int, list[OpenDigest]] = defaultdict(list)
    for one in store.open_digests(list(owners), now=now) if owners else ():
        found[owners[one.destination_id]].append(one)
    return found


def _address(pk: int, kind: int, verified: bool, disabled_reason: str, active: bool) -> Address:
    return Address(pk, Channel(kind), verified, disabled_reason, active)
