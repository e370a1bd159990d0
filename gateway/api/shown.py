"""People as the API shows them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from django.http import HttpResponse

from gateway.codec.problems import problem
from notifications.live.frames import to_ms
from notifications.states import Channel
from users.models import Destination, User
from users.people.search import shared
from users.people.values import Outcome, Remark


def not_found() -> HttpResponse:
    return problem("not_found", "There is no such person, or it is not you.")


def person_json(person: User) -> dict[str, Any]:
    return {
        "user_id": person.external_id,
        "name": person.get_full_name(),
        "locale": person.locale,
        "time_zone": person.time_zone,
        "active": person.is_active,
        "groups": sorted(group.name for group in person.groups.all()),
        "addresses": [destination_json(one) for one in _in_order(person)],
        "created_at": to_ms(person.date_joined),
    }


def _in_order(person: User) -> list[Destination]:
    return sorted(person.destinations.all(), key=lambda one: (one.kind, one.position, one.pk))


def destination_json(one: Destination) -> dict[str, Any]:
    """`address` is "" where no key decrypts it any more."""
    return {
        "id": one.pk,
        "channel": Channel(one.kind).name,
        "address": one.plain_address,
        "label": one.label,
        "verified": one.verified_at is not None,
        "enabled": one.disabled_at is None,
        "disabled_reason": one.disabled_reason,
        "sources": sorted(source.name for source in one.sources.all()),
    }


def remark_json(remark: Remark) -> dict[str, str]:
    return {"code": remark.code, "detail": remark.detail, "field": remark.field}


def warnings_of(people: Sequence[User], outcomes: Mapping[str, Outcome]) -> dict[str, list[dict[str, str]]]:
    """Return what a source should know of its changes, by the person's external id."""
    found: dict[str, list[dict[str, str]]] = defaultdict(list)
    for external_id, outcome in outcomes.items():
        found[external_id] += [remark_json(remark) for remark in outcome.warnings]
    names = {person.pk: person.external_id for person in people}
    for one in shared(list(names)) if names else ():
        detail = (
            f"Somebody else has {one.get_kind_display()} {one.masked} too: both get their messages there."
        )
        found[names[one.user_id]].append(remark_json(Remark("address_shared", detail, "addresses")))
    return found
