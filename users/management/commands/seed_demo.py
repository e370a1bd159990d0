"""`manage.py seed_demo`: a user with destinations and a source with a key, to try Tocsin."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from users import channel_choices, keys
from users.models import Destination, Source, TopicRule, User

_BRINGS_PEOPLE = {"may_create_people": True, "may_vouch": True}


class Command(BaseCommand):
    help = "Create the demo person and the demo source if they are missing. Prints the source's key."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--password", required=True)
        parser.add_argument("--key", default="", help="Keep this key if it is still valid.")

    def handle(self, *args: Any, password: str, key: str, **options: Any) -> None:
        person = self._person(password)
        self._destination(person, "telegram", "100200300")
        self._destination(person, "email", "demo@example.org")
        source, _ = Source.objects.get_or_create(
            name="demo",
            defaults={
                "allow_stream": True,
                "topic_prefixes": ["market."],
                "link_hosts": ["example.com", "*.example.com"],
                **_BRINGS_PEOPLE,
            },
        )
        TopicRule.objects.get_or_create(prefix="market.", audience=TopicRule.Audience.EVERYBODY)
        kept = keys.authenticate(key, now=timezone.now())
        if kept is None or kept.source_id != source.pk or "people" not in kept.scopes:
            Source.objects.filter(pk=source.pk).update(**_BRINGS_PEOPLE)  # it may be older than these rights
            key = keys.issue(source, ["publish", "read", "people"], note="demo")
        self.stdout.write(key)

    def _person(self, password: str) -> User:
        person, created = User.objects.get_or_create(
            external_id="demo",
            defaults={"username": "demo", "is_staff": True, "is_superuser": True, "first_name": "Demo"},
        )
        if created or not person.check_password(password):
            person.set_password(password)
            person.save()
        return person

    def _destination(self, person: User, channel: str, address: str) -> None:
        kind = channel_choices.number_of(channel)
        if not person.destinations.filter(kind=kind).exists():
            destination = Destination(user=person, kind=kind, address=address, verified_at=timezone.now())
            destination.save()
