"""`manage.py canary`: exit code 1 when nothing comes through a queue. For liveness probes of workers."""

from typing import Any

import redis
from django.core.management.base import BaseCommand, CommandError, CommandParser

from notifications.operations import canary
from runtime.postgres import clock


class Command(BaseCommand):
    help = "Tell how long ago a task came through a queue. Exits 1 when that is too long ago, or never."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--queue", required=True, choices=canary.queues())
        parser.add_argument("--max-age", type=float, default=60.0, help="Seconds; 60 by default.")

    def handle(self, *args: Any, queue: str, max_age: float, **options: Any) -> None:
        try:
            age = canary.ages(now=clock.now())[queue]
        except redis.RedisError as error:
            # Nothing is known, and a restart of the worker would not bring Redis back.
            self.stderr.write(f"{queue}: unknown, Redis is away ({type(error).__name__})")
            return
        if age is None or age > max_age:
            raise CommandError(f"{queue}: " + ("no canary yet" if age is None else f"{age:.1f} s ago"))
        self.stdout.write(f"{queue}: {age:.1f} s ago")
