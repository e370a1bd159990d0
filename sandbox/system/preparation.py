"""`python -m sandbox.system.preparation`: migrations and the demo data. Prints the demo source's API key.

One process, so that Django is imported once. It is imported while Postgres starts, so the process then waits
for a line on its standard input. Secrets come from the environment, since command lines are public.
"""

import os
import sys

import django
from django.core.management import call_command


def main() -> None:
    django.setup()
    if not sys.stdin.readline():
        sys.exit("standard input ended before the database was up")
    call_command("migrate", interactive=False, verbosity=0, skip_checks=False)  # a bad setting stops here
    call_command("seed_demo", password=os.environ["DEMO_PASSWORD"], key=os.environ.get("DEMO_API_KEY", ""))


if __name__ == "__main__":
    main()
