"""Canaries: a queue that nobody consumes is seen from outside, and beat leaves none out."""

import io
from datetime import timedelta

import pytest
import redis
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command
from django.utils import timezone

from config.celery import app
from notifications import tasks
from notifications.operations import canary, ticks
from runtime.redis.client import client

BEAT = django_settings.CELERY_BEAT_SCHEDULE
QUEUES = {queue.name for queue in django_settings.CELERY_TASK_QUEUES}


@pytest.fixture(autouse=True)
def silence():
    client().delete(*map(canary.key, canary.queues()))


def run(queue: str, *words: str) -> str:
    output = io.StringIO()
    call_command("canary", "--queue", queue, *words, stdout=output, stderr=output)
    return output.getvalue()


def test_a_task_through_a_queue_leaves_its_time(now) -> None:
    assert canary.ages(now=now) == dict.fromkeys(QUEUES)
    tasks.canary_through(queue="critical", of_a_later_release=True)
    ages = canary.ages(now=timezone.now() + timedelta(seconds=7))
    assert 6.9 < ages.pop("critical") < 17
    assert ages == dict.fromkeys(QUEUES - {"critical"})
    assert client().ttl("canary.critical") > 3600


def test_a_clock_that_is_behind_makes_no_negative_age(now) -> None:
    canary.mark("normal", now=now)
    assert canary.ages(now=now - timedelta(seconds=5))["normal"] == 0.0


def test_the_command_is_silent_about_a_queue_that_is_consumed() -> None:
    canary.mark("control", now=timezone.now() - timedelta(seconds=30))
    assert run("control").startswith("control: 30.")
    with pytest.raises(CommandError, match="30"):
        run("control", "--max-age", "20")


def test_the_command_fails_for_a_queue_through_which_nothing_came() -> None:
    with pytest.raises(CommandError, match="no canary yet"):
        run("normal")


def test_the_command_does_not_blame_the_worker_for_redis(redis_away) -> None:
    assert "unknown, Redis is away" in run("normal")
    with pytest.raises(redis.RedisError):
        canary.ages(now=timezone.now())


def test_every_queue_has_a_canary() -> None:
    entries = [entry for entry in BEAT.values() if entry["task"] == "tocsin.canary"]
    assert {entry["options"]["queue"] for entry in entries} == QUEUES
    for entry in entries:
        assert entry["kwargs"] == {"queue": entry["options"]["queue"]}


@pytest.mark.parametrize("name", BEAT)
def test_every_task_of_beat_exists_and_has_a_queue(name) -> None:
    app.loader.import_default_modules()
    entry = BEAT[name]
    assert entry["task"] in app.tasks
    assert entry["options"]["queue"] in QUEUES
    assert "expires" not in entry["options"]  # a host's clock must not decide that a tick is old


def test_a_canary_is_fresh_well_before_it_is_called_stale() -> None:
    schedule = max(entry["schedule"] for entry in BEAT.values() if entry["task"] == "tocsin.canary")
    assert schedule * 3 <= django_settings.TOCSIN.canary_max_age_s


@pytest.mark.parametrize(
    ("name", "run_task"),
    [
        ("sweep", tasks.sweep_due),
        ("count_open_rows", tasks.count_open_rows),
        ("canary-critical", lambda: tasks.canary_through(queue="critical")),
    ],
)
@pytest.mark.django_db
def test_a_task_of_beat_notes_that_its_tick_was_taken(name, run_task) -> None:
    assert name in BEAT
    assert ticks.may_send(name, every_s=1)
    assert not ticks.may_send(name, every_s=1)
    run_task()
    assert ticks.may_send(name, every_s=1)
