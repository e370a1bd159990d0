"""Finding people: pages of those that match, in the order in which they were created."""

from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Q, QuerySet

from users import channel_choices
from users.encryption import digests
from users.models import Destination, User
from users.people import rights
from users.people.values import PeopleRule


@dataclass(frozen=True, slots=True)
class Search:
    """Whom to find: all conditions together. An empty one matches everybody.

    Example: `Search(text="alice", group="traders")`.
    """

    ids: tuple[str, ...] = ()
    prefix: str = ""
    text: str = ""  # part of the id or the name, or a whole address
    group: str = ""
    active: bool | None = None


def page(search: Search, *, rule: PeopleRule, after: int, limit: int) -> list[User]:
    """Return up to `limit` people with a greater primary key than `after`, with addresses and groups."""
    found = rights.of_rule(User.objects.filter(pk__gt=after, erased_at=None), rule)
    if search.ids:
        found = found.filter(external_id__in=search.ids)
    if search.prefix:
        found = found.filter(external_id__startswith=search.prefix)
    if search.text:
        found = found.filter(_matches(search.text))
    if search.group:
        found = found.filter(groups__name=search.group)
    if search.active is not None:
        found = found.filter(is_active=search.active)
    return list(with_details(found.order_by("pk"))[:limit])


def with_details(people: QuerySet[User]) -> QuerySet[User]:
    """Let everything that the API shows of people be read in a few statements."""
    return people.prefetch_related("destinations__sources", "groups")


def shared(person_ids: list[int]) -> QuerySet[Destination]:
    """Return the destinations of these people that somebody else has too."""
    same = Destination.objects.filter(address_digest=OuterRef("address_digest"))
    others = same.exclude(user_id=OuterRef("user_id"))
    return Destination.objects.filter(Exists(others), user_id__in=person_ids).order_by("pk")


def _matches(text: str) -> Q:
    kinds = [str(number) for number, _ in channel_choices.destination_kinds()]
    addresses = Destination.objects.filter(
        address_digest__in=[digest for kind in kinds for digest in digests([kind, text])]
    )
    words = Q()
    for word in text.split():
        words &= Q(first_name__icontains=word) | Q(last_name__icontains=word)
    return Q(external_id__icontains=text) | words | Q(pk__in=addresses.values("user_id"))
