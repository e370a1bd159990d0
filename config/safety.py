"""What stops a start in production: unsafe settings, and servers that may lose what they have confirmed.

These are deployment checks: `manage.py check --deploy` lists them, and every process refuses to start
with one. A server that is away at the start is not asked; the process comes up and waits for it as usual.
"""

import os
from collections.abc import Iterator, Mapping
from typing import Any

import redis
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.db import connection
from redis.exceptions import RedisError

from config import brokers
from runtime.postgres.away import DATABASE_AWAY

_KEY_LENGTH, _KEY_CHARACTERS = 50, 10
_SENT_NOWHERE = ("console", "dummy", "filebased", "locmem")


@register(deploy=True)
def settings_are_safe(**_: Any) -> list[CheckMessage]:
    """Settings that are fine on a developer's machine and nowhere else."""
    return [
        Error(text, hint=remedy, id=f"tocsin.E1{number:02}")
        for number, (text, wrong, remedy) in enumerate(_judged_settings(), start=1)
        if wrong
    ]


def _judged_settings() -> Iterator[tuple[str, bool, str]]:
    hosts, origins = settings.ALLOWED_HOSTS, settings.CSRF_TRUSTED_ORIGINS
    yield "TOCSIN_DEMO must be off.", settings.TOCSIN_DEMO, "Use config.settings.production."
    yield (
        "ALLOWED_HOSTS must name hosts, not '*'.",
        not hosts or any("*" in host for host in hosts),
        "Name the host names that people use, separated by commas; .example.org includes subdomains.",
    )
    yield (
        "FIELD_ENCRYPTION_KEYS is empty.",
        not any(settings.FIELD_ENCRYPTION_KEYS),
        "Generate a Fernet key: see docs/configuration.md.",
    )
    yield (
        "TOCSIN_CRASH must not be set: it ends processes.",
        bool(os.environ.get("TOCSIN_CRASH")),
        "Unset TOCSIN_CRASH.",
    )
    yield "DEBUG must be off: its pages show settings and code.", settings.DEBUG, "Unset DEBUG."
    yield (
        "SECRET_KEY can be guessed: who knows it can sign in as anybody.",
        any(map(_weak, [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS])),
        'Generate one: python -c "import secrets; print(secrets.token_urlsafe(48))"',
    )
    yield (
        "EMAIL_URL sends no e-mail: messages would count as delivered and go nowhere.",
        settings.EMAIL_BACKEND.split(".")[-2] in _SENT_NOWHERE,
        "Name an SMTP server: smtp://user:password@host:587/?tls=True.",
    )
    yield (
        "CSRF_TRUSTED_ORIGINS must name https origins, not '*'.",
        any(not one.startswith("https://") or one.endswith("//*") for one in origins),
        "Name the origins of your pages, such as https://app.example.org.",
    )


def _weak(key: str) -> bool:
    """Return whether a key is short, has few characters, repeats itself, or is Django's placeholder."""
    repeated = key in (key + key)[1:-1]
    short = len(key) < _KEY_LENGTH or len(set(key)) < _KEY_CHARACTERS
    return short or repeated or key.startswith("django-insecure-")


# --- servers --------------------------------------------------------------------------------------------
_POSTGRES = """
SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit')
UNION ALL
SELECT 'unlogged table', relname FROM pg_class
WHERE relkind = 'r' AND relpersistence = 'u' AND relname ~ '^(notifications|users)_'
"""


@register(deploy=True)
def postgres_keeps_what_it_commits(**_: Any) -> list[CheckMessage]:
    """Accepted means committed: a server that commits to memory breaks the promise at its first crash."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(_POSTGRES)
            found = cursor.fetchall()
    except DATABASE_AWAY as error:
        return [_not_asked("Postgres", error)]
    return list(_lossy(found))


def _lossy(found: list[tuple[str, str]]) -> Iterator[CheckMessage]:
    for name, value in found:
        if value == "off":
            text = f"Postgres runs with {name} = off and may lose commits."
            remedy = f"ALTER SYSTEM SET {name} = on; SELECT pg_reload_conf(); mind ALTER ROLE and DATABASE."
            yield Error(text, hint=remedy, id="tocsin.E110")
        elif name == "unlogged table":
            remedy = f"ALTER TABLE {value} SET LOGGED;"
            yield Error(f"{value} is unlogged: a crash empties it.", hint=remedy, id="tocsin.E111")


@register(deploy=True)
def redis_evicts_nothing(**_: Any) -> list[CheckMessage]:
    """An evicted key is a lost queue of doorbells, or entries of a stream that nobody has read."""
    urls = {"REDIS_URL": settings.REDIS_URL}
    if not brokers.is_rabbitmq(settings.CELERY_BROKER_URL):
        urls["CELERY_BROKER_URL"] = settings.CELERY_BROKER_URL
    return [found for name, url in urls.items() for found in _evicting(name, url)]


def _evicting(name: str, url: str) -> Iterator[CheckMessage]:
    try:
        with redis.Redis.from_url(url, socket_timeout=3, socket_connect_timeout=3) as client:
            memory: Mapping[str, Any] = client.info("memory")
    except (RedisError, ValueError) as error:
        yield _not_asked(name, error)
        return
    policy = memory.get("maxmemory_policy", "")
    if policy != "noeviction":
        remedy = "CONFIG SET maxmemory-policy noeviction, and the same in its configuration file."
        yield Error(f"{name}: maxmemory-policy is {policy}.", hint=remedy, id="tocsin.E112")


def _not_asked(name: str, error: Exception) -> CheckMessage:
    text = f"{name} could not be asked whether it is safe ({type(error).__name__})."
    return Warning(text, hint="Check again when it answers: manage.py check --deploy.", id="tocsin.W101")
