#!/usr/bin/env python
"""Run an administrative command: `python manage.py help`."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.development")
    if sys.argv[1:2] == ["migrate"]:
        os.environ.setdefault("DATABASE_ANSWER_WITHIN_S", "0")  # an index may take its time
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
