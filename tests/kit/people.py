"""Persons with destinations, many at a time."""

from django.utils import timezone

from notifications.states import Channel
from users.models import Destination, User


def create_people(
    count: int, *, prefix: str = "p", chats: bool = False, mailboxes: bool = False
) -> list[User]:
    """Create p0, p1, …; `chats` gives each a Telegram chat, `mailboxes` every second an e-mail address,
    on 40 domains, since mail is limited per domain."""
    users = User.objects.bulk_create(
        [
            User(username=f"{prefix}{number}", external_id=f"{prefix}{number}", password="!")
            for number in range(count)
        ]
    )
    destinations = []
    for number, user in enumerate(users):
        if chats:
            destinations.append(_verified(user, Channel.TELEGRAM, str(10_000 + number)))
        if mailboxes and number % 2:
            destinations.append(
                _verified(user, Channel.EMAIL, f"{user.external_id}@d{number % 40}.example.org")
            )
    Destination.objects.bulk_create(destinations)
    return users


def _verified(user: User, kind: Channel, address: str) -> Destination:
    made = Destination(user=user, kind=kind, verified_at=timezone.now())
    made.set_address(address)
    return made
