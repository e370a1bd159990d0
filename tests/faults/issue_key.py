"""`python -m tests.faults.issue_key tickets admin`: print a new key of the scenarios' source.

`--source=<name>`: of another source, which is created.
"""

import sys

import django

_SOURCE = "--source="


def main(scopes: list[str]) -> None:
    django.setup()
    from tests.faults.prepare import SOURCE
    from users import keys
    from users.models import Source

    names = [given.removeprefix(_SOURCE) for given in scopes if given.startswith(_SOURCE)]
    source, _ = Source.objects.get_or_create(name=names[0] if names else SOURCE)
    print(keys.issue(source, [scope for scope in scopes if not scope.startswith(_SOURCE)]))


if __name__ == "__main__":
    main(sys.argv[1:])
