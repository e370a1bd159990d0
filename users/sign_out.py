"""Signing people out everywhere: no session, token or ticket of before counts any more."""

from datetime import datetime

from django.db.models import QuerySet

from users.models import User


def sign_out_everywhere(people: QuerySet[User], *, now: datetime) -> list[int]:
    """End what these persons have signed in with until `now`. Return their ids.

    HTTP requests feel it at once; their open sockets when the gateway hears of it or looks again.
    """
    ids = list(people.values_list("pk", flat=True))
    User.objects.filter(pk__in=ids).update(sessions_valid_from=now)
    return ids
