"""Whose the changes of a transaction are, where authors make them."""

from collections.abc import Iterable

from users.acting import set_actor
from users.models import PersonChange
from users.people.values import Author


def set_authors(authors: Iterable[Author]) -> None:
    """Say who acts until the transaction ends: the authors of the changes that it makes."""
    found = set(authors)
    surface = (
        PersonChange.Surface.ADMIN if any(one.is_operator for one in found) else PersonChange.Surface.API
    )
    set_actor(surface, ", ".join(sorted({one.name for one in found})))
