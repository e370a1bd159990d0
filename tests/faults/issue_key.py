"""`python -m tests.faults.issue_key tickets admin`: print a new key of the scenarios' source."""

import sys

import django


def main(scopes: list[str]) -> None:
    django.setup()
    from tests.faults.prepare import SOURCE
    from users import keys
    from users.models import Source

    print(keys.issue(Source.objects.get(name=SOURCE), scopes))


if __name__ == "__main__":
    main(sys.argv[1:])
