"""Starts that are refused in production, each with its remedy."""

import os
import secrets
import subprocess
import sys
from base64 import urlsafe_b64encode

import pytest
import redis
from django.db import connection

from config import safety
from config.env import ROOT
from tests.gateway.servers import database_url

GOOD_KEY = secrets.token_urlsafe(48)
SMTP = "django.core.mail.backends.smtp.EmailBackend"


@pytest.fixture
def production(settings):
    settings.TOCSIN_DEMO, settings.ALLOWED_HOSTS, settings.DEBUG = False, ["tocsin.example"], False
    settings.SECRET_KEY, settings.EMAIL_BACKEND = GOOD_KEY, SMTP
    return settings


def test_good_settings_have_no_problem(production) -> None:
    assert safety.settings_are_safe() == []


@pytest.mark.parametrize(
    ("name", "value", "wrong"),
    [
        ("TOCSIN_DEMO", True, "tocsin.E101"),
        ("ALLOWED_HOSTS", ["a.example", "*"], "tocsin.E102"),
        ("ALLOWED_HOSTS", ["*.example.org"], "tocsin.E102"),
        ("ALLOWED_HOSTS", [], "tocsin.E102"),
        ("FIELD_ENCRYPTION_KEYS", [], "tocsin.E103"),
        ("FIELD_ENCRYPTION_KEYS", [""], "tocsin.E103"),
        ("DEBUG", True, "tocsin.E105"),
        ("SECRET_KEY", "only-for-tests", "tocsin.E106"),
        ("SECRET_KEY", "x" * 64, "tocsin.E106"),
        ("SECRET_KEY", "change-me-please" * 5, "tocsin.E106"),
        pytest.param("SECRET_KEY", "django-insecure-" + GOOD_KEY, "tocsin.E106", id="django-insecure"),
        ("SECRET_KEY_FALLBACKS", ["old"], "tocsin.E106"),
        ("EMAIL_BACKEND", "django.core.mail.backends.console.EmailBackend", "tocsin.E107"),
        ("EMAIL_BACKEND", "django.core.mail.backends.dummy.EmailBackend", "tocsin.E107"),
        ("CSRF_TRUSTED_ORIGINS", ["http://app.example"], "tocsin.E108"),
        ("CSRF_TRUSTED_ORIGINS", ["https://*"], "tocsin.E108"),
    ],
)
def test_an_unsafe_setting_is_named_with_its_remedy(production, name, value, wrong) -> None:
    setattr(production, name, value)
    [problem] = safety.settings_are_safe()
    assert (problem.id, bool(problem.hint)) == (wrong, True)


@pytest.mark.parametrize("name", ["fsync", "full_page_writes", "synchronous_commit"])
def test_a_server_that_may_lose_commits_is_named_with_its_remedy(name: str) -> None:
    [problem] = safety._lossy([("fsync", "on"), ("synchronous_commit", "on"), (name, "off")])
    assert problem.id == "tocsin.E110"
    assert f"{name} = on" in problem.hint
    assert list(safety._lossy([(name, "on")])) == []


@pytest.mark.django_db(transaction=True)
def test_what_the_role_or_the_database_sets_counts(production) -> None:
    name = connection.settings_dict["NAME"]
    with connection.cursor() as cursor:
        cursor.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
    connection.close()
    connection.close_pool()
    try:
        found = {problem.msg for problem in safety.postgres_keeps_what_it_commits()}
        assert any("synchronous_commit" in text for text in found)
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f'ALTER DATABASE "{name}" RESET synchronous_commit')
        connection.close()
        connection.close_pool()


@pytest.mark.django_db(transaction=True)
def test_an_unlogged_table_is_named(production) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE UNLOGGED TABLE notifications_drill ()")
        found = [problem.id for problem in safety.postgres_keeps_what_it_commits()]
        cursor.execute("DROP TABLE notifications_drill")
    assert "tocsin.E111" in found


POLICIES = ["allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-lru", "volatile-ttl", "volatile-random"]


@pytest.mark.parametrize("policy", POLICIES)
def test_a_redis_that_evicts_is_named_with_its_remedy(production, policy: str) -> None:
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        client.config_set("maxmemory-policy", policy)
        try:
            found = safety.redis_evicts_nothing()
        finally:
            client.config_set("maxmemory-policy", "noeviction")
    assert {(problem.id, "noeviction" in problem.hint) for problem in found} == {("tocsin.E112", True)}
    assert safety.redis_evicts_nothing() == []


def test_a_server_that_is_away_does_not_stop_the_start(production) -> None:
    production.REDIS_URL = production.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"
    assert {problem.id for problem in safety.redis_evicts_nothing()} == {"tocsin.W101"}


PROCESSES = {
    "web": ["-m", "gateway.server", "-p", "0", "config.asgi:application"],
    "worker": ["-m", "celery", "-A", "config.celery", "worker", "-Q", "normal", "-P", "solo"],
    "beat": ["-m", "celery", "-A", "config.celery", "beat"],
    "streams": ["manage.py", "ingest_streams"],
}


@pytest.mark.parametrize("command", PROCESSES.values(), ids=PROCESSES)
def test_every_process_refuses_to_start(django_db_setup, command: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=os.environ
        | {
            "DJANGO_SETTINGS_MODULE": "config.settings.production",
            "DATABASE_URL": database_url(connection.settings_dict["NAME"]),
            "SECRET_KEY": "change-me",
            "FIELD_ENCRYPTION_KEYS": urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "ALLOWED_HOSTS": "tocsin.example",
            "EMAIL_URL": "smtp://localhost:25",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "SECRET_KEY can be guessed" in done.stderr
    assert "secrets.token_urlsafe" in done.stderr
