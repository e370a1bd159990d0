"""`python -m sandbox.system.preparation`: migrations and the demo's data. Prints the demo source's API key.

One process, so that Django is imported once; and it imports while Postgres still starts, so it waits for a
line on its standard input. Its values come from the environment: a command line is public.
"""

import os
import sys

import django
from django.core.management import call_command


def main() -> None:
    django.setup()
    if not sys.stdin.readline():
        sys.exit("nobody said that the database is up")
    call_command("migrate", interactive=False, verbosity=0, skip_checks=False)  # a bad knob stops here
    call_command("seed_demo", password=os.environ["DEMO_PASSWORD"], key=os.environ.get("DEMO_API_KEY", ""))


if __name__ == "__main__":
    main()
