"""`python -m tests.faults.prepare <persons>`: migrate, and create whom the scenarios write to.

Every person has a Telegram chat, every second one an e-mail address as well. Others have no address and
follow a topic. Prints the source's key.
"""

import sys

import django
from django.core.management import call_command

SOURCE = "chaos"
TOPIC = "drill.topic"
FOLLOWERS = 10


def main(count: int) -> None:
    django.setup()
    call_command("migrate", interactive=False, verbosity=0, skip_checks=False)  # a bad setting stops here
    from django.utils import timezone

    from users import keys
    from users.models import Destination, Source, TopicRule, TopicSubscription, User

    users = User.objects.bulk_create(
        [User(username=f"p{number}", external_id=f"p{number}", password="!") for number in range(count)]
    )
    now = timezone.now()
    destinations = []
    for number, user in enumerate(users):
        chat = Destination(user=user, kind=Destination.Kind.TELEGRAM, verified_at=now)
        chat.set_address(str(10_000 + number))
        destinations.append(chat)
        if number % 2:
            mail = Destination(user=user, kind=Destination.Kind.EMAIL, verified_at=now)
            mail.set_address(f"p{number}@example.org")
            destinations.append(mail)
    Destination.objects.bulk_create(destinations)
    followers = User.objects.bulk_create(
        [User(username=f"t{number}", external_id=f"t{number}", password="!") for number in range(FOLLOWERS)]
    )
    TopicRule.objects.create(prefix=TOPIC, audience=TopicRule.Audience.EVERYBODY)
    TopicSubscription.objects.bulk_create(
        [TopicSubscription(person=user, topic=TOPIC, created_at=now) for user in followers]
    )
    source = Source.objects.create(name=SOURCE, allow_stream=True, topic_prefixes=[TOPIC])
    print(keys.issue(source, ["publish", "read"], note="fault scenarios"))


if __name__ == "__main__":
    main(int(sys.argv[1]))
