"""`python -m tests.faults.prepare <persons>`: migrate, and create the recipients of the scenarios.

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

    from tests.kit.people import create_people
    from users import keys
    from users.models import Source, TopicRule, TopicSubscription

    create_people(count, chats=True, mailboxes=True)
    followers = create_people(FOLLOWERS, prefix="t")
    TopicRule.objects.create(prefix=TOPIC, audience=TopicRule.Audience.EVERYBODY)
    TopicSubscription.objects.bulk_create(
        [TopicSubscription(person=user, topic=TOPIC, created_at=timezone.now()) for user in followers]
    )
    source = Source.objects.create(name=SOURCE, allow_stream=True, topic_prefixes=[TOPIC])
    print(keys.issue(source, ["publish", "read"], note="fault scenarios"))


if __name__ == "__main__":
    main(int(sys.argv[1]))
