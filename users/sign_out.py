"""Signing users out everywhere: their earlier sessions, tokens and tickets become invalid."""

from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from users.models import User


def sign_out_everywhere(people: QuerySet[User], *, now: datetime) -> list[int]:
    """Invalidate the sessions, tokens and tickets that these users got until `now`. Return their ids.

    This applies to HTTP requests at once, and to open sockets when the gateway is notified or checks again.
    """
    with transaction.atomic():
        ids = list(people.values_list("pk", flat=True))
        User.objects.filter(pk__in=ids).update(sessions_valid_from=now)
    return ids
