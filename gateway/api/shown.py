"""People as the API shows them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated

from django.http import HttpResponse
from pydantic import Field
from typing_extensions import TypedDict

from gateway.codec.problems import problem
from notifications.live.frames import to_ms
from notifications.states import Channel
from users.models import Destination, User
from users.people.search import shared
from users.people.values import Outcome, Remark

Milliseconds = Annotated[int, Field(description="Unix milliseconds.")]


class PersonDestination(TypedDict):
    """Where a channel reaches a person."""

    id: int
    channel: str
    address: Annotated[str, Field(description="Empty where no key decrypts it any more.")]
    label: str
    verified: bool
    enabled: bool
    disabled_reason: str
    sources: Annotated[list[str], Field(description="The sources that brought it.")]


class Person(TypedDict):
    user_id: str
    name: str
    locale: str
    time_zone: str
    active: bool
    groups: list[str]
    addresses: list[PersonDestination]
    created_at: Milliseconds


class ChangeRemark(TypedDict):
    """What the author of a change should know, or why it was rejected."""

    code: str
    detail: str
    field: str


def not_found() -> HttpResponse:
    return problem("not_found", "There is no such person, or it is not you.")


def ms_or_none(at: datetime | None) -> int | None:
    return None if at is None else to_ms(at)


def person_json(person: User) -> Person:
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


def destination_json(one: Destination) -> PersonDestination:
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


def remark_json(remark: Remark) -> ChangeRemark:
    return {"code": remark.code, "detail": remark.detail, "field": remark.field}


def warnings_of(people: Sequence[User], outcomes: Mapping[str, Outcome]) -> dict[str, list[ChangeRemark]]:
    """Return what a source should know of its changes, by the person's external id."""
    found: dict[str, list[ChangeRemark]] = defaultdict(list)
    for external_id, outcome in outcomes.items():
        found[external_id] += [remark_json(remark) for remark in outcome.warnings]
    names = {person.pk: person.external_id for person in people}
    for one in shared(list(names)) if names else ():
        detail = (
            f"Somebody else has {one.get_kind_display()} {one.masked} too: both get their messages there."
        )
        found[names[one.user_id]].append(remark_json(Remark("address_shared", detail, "addresses")))
    return found
