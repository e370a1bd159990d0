"""All processes go by the database's clock, whatever their hosts' clocks say."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from django.db import connection

from config.env import ROOT
from runtime.postgres.clock import LOOK_EVERY_S, Clock, ClockSkew, refuse_skew
from tests.gateway.servers import database_url

pytestmark = pytest.mark.django_db


@dataclass
class Host:
    """The clocks of one host, which run as they are told."""

    ahead_s: float = 0.0
    passed_s: float = 0.0

    def clock(self) -> Clock:
        return Clock(
            monotonic=lambda: time.monotonic() + self.passed_s, wall=lambda: time.time() + self.ahead_s
        )


def database_now() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return cursor.fetchone()[0]


def agrees(clock: Clock) -> bool:
    before = database_now()
    return before - timedelta(milliseconds=50) <= clock.now() <= database_now() + timedelta(milliseconds=50)


@pytest.mark.parametrize("ahead_s", [-60, -7, 0, 7, 60, 86_400])
def test_a_process_goes_by_the_database_and_knows_its_skew(ahead_s) -> None:
    clock = Host(ahead_s).clock()
    assert agrees(clock)
    assert clock.look() == pytest.approx(ahead_s, abs=0.1)


@pytest.mark.parametrize("step_s", [-3600, 3600])
def test_a_step_of_the_hosts_clock_changes_nothing(step_s) -> None:
    host = Host()
    clock = host.clock()
    assert agrees(clock)
    host.ahead_s = step_s
    assert agrees(clock)


def test_between_two_looks_no_query_is_made(django_assert_num_queries) -> None:
    host = Host()
    clock = host.clock()
    with django_assert_num_queries(1):
        first = clock.now()
    with django_assert_num_queries(0):
        host.passed_s = LOOK_EVERY_S - 1
        assert clock.now() - first >= timedelta(seconds=LOOK_EVERY_S - 1)


@pytest.mark.django_db(transaction=True)
def test_after_a_while_it_looks_again(django_assert_num_queries) -> None:
    host = Host()
    clock = host.clock()
    clock.now()
    host.passed_s = LOOK_EVERY_S  # a monotonic clock that ran ahead
    with django_assert_num_queries(1):
        assert agrees_within(clock.now(), database_now_without_query())


def agrees_within(a: datetime, b: datetime) -> bool:
    return abs(a - b) < timedelta(seconds=0.5)


def database_now_without_query() -> datetime:
    given = connection.get_connection_params()
    chosen = {name: given[name] for name in ("host", "port", "user", "password", "dbname")}
    with psycopg.connect(**chosen) as other:
        return other.execute("SELECT clock_timestamp()").fetchone()[0]


def test_a_slow_answer_does_not_replace_a_quick_one() -> None:
    host = Host()
    clock = host.clock()
    clock.now()

    def slow() -> float:  # a second passes between any two looks at the time
        host.passed_s += 1
        return time.monotonic() + host.passed_s

    quick, clock.monotonic = clock._offset_s, slow
    clock.look()
    assert clock._offset_s == quick


def test_every_look_is_told_to_watchers() -> None:
    clock, seen = Host(3).clock(), []
    clock.watchers.append(seen.append)
    clock.now()
    assert seen == [pytest.approx(3, abs=0.1)]


@pytest.mark.parametrize("ahead_s", [-31, 31, 3600])
def test_a_process_whose_clock_is_far_off_does_not_start_and_says_what_to_do(ahead_s) -> None:
    with pytest.raises(ClockSkew, match=r"s from the database's.*Synchronize the clocks") as refused:
        refuse_skew(Host(ahead_s).clock())
    assert f"{ahead_s:+.0f} s" in str(refused.value)


@pytest.mark.parametrize("ahead_s", [-29, 0, 29])
def test_a_process_whose_clock_is_a_little_off_starts(ahead_s) -> None:
    refuse_skew(Host(ahead_s).clock())


def test_before_the_first_look_the_hosts_clock_is_used(settings) -> None:
    clock = Host(5).clock()
    clock._look_at = time.monotonic() + 1  # as while the database is away
    assert clock.now() > datetime.now(UTC) + timedelta(seconds=4)


_START = """
import django, psutil
django.setup()
from django.db import connection
from runtime.start import refuse_unsafe_start
from runtime.postgres import clock
refuse_unsafe_start()
clock.refuse_skew()
port = int(connection.settings_dict["PORT"])
print([one for one in psutil.Process().net_connections() if one.raddr and one.raddr.port == port])
"""


@pytest.mark.parametrize("pool_size", ["0", "2"])
def test_a_checked_start_leaves_no_socket_to_forked_children(pool_size) -> None:
    environment = os.environ | {
        "DATABASE_URL": database_url(connection.settings_dict["NAME"]),
        "DATABASE_POOL_SIZE": pool_size,
        "DJANGO_SETTINGS_MODULE": "config.settings.development",
    }
    done = subprocess.run(
        [sys.executable, "-c", _START], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.splitlines()[-1:] == ["[]"], done.stderr
