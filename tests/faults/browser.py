"""`python -m tests.faults.browser p0 p1`: sign persons in as browsers do; print their sessions."""

import sys

import django


def main(names: list[str]) -> None:
    django.setup()
    from django.conf import settings
    from django.test import Client

    from users.models import User

    for name in names:
        client = Client()
        client.force_login(User.objects.get(external_id=name))
        print(client.cookies[settings.SESSION_COOKIE_NAME].value)


if __name__ == "__main__":
    main(sys.argv[1:])
