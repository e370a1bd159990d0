"""A program in a process of its own, on the database of the test."""

import os
import subprocess
import sys
from urllib.parse import urlsplit

from django.db import connection

from config.env import ROOT


def start(program: str, *args: str, crash: str = "", **variables: str) -> "subprocess.Popen[str]":
    """Start it. `crash`: where it ends, as in `TOCSIN_CRASH`."""
    name = connection.settings_dict["NAME"]
    environment = {
        "DATABASE_URL": urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl(),
        "DJANGO_SETTINGS_MODULE": "config.settings.test",
        "TOCSIN_CRASH": crash,
    }
    return subprocess.Popen(
        [sys.executable, "-c", program, *args],
        cwd=ROOT,
        env=os.environ | environment | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(program: str, *args: str, crash: str = "", **variables: str) -> int:
    """Run it to its end, or to its crash. Return its exit code."""
    process = start(program, *args, crash=crash, **variables)
    _, errors = process.communicate()
    assert process.returncode in {0, 137}, errors
    return process.returncode


def wait_for_lock(process: "subprocess.Popen[str]") -> None:
    """Return when a session of the database waits for a row that this one has locked."""
    # Not of pg_stat_activity, which stays the same within a transaction.
    waiting = (
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
    )
    with connection.cursor() as cursor:
        while process.poll() is None:
            cursor.execute(waiting)
            if cursor.fetchone()[0]:
                return
    raise AssertionError(process.communicate()[1])
