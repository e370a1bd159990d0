"""Unsafe settings and servers: production refuses to start with each, and says what to do."""

import secrets
import subprocess
import sys
from collections.abc import Iterator

import psycopg

from config.env import ROOT
from sandbox.system.postgres import Postgres
from sandbox.system.start import free_port
from tests.faults.run import scenario
from tests.faults.stage import Stage

_WEB = ["-m", "gateway.server", "-b", "127.0.0.1", "-p", "0", "config.asgi:application"]
_DEPLOY = ["manage.py", "check", "--deploy", "--fail-level", "WARNING"]

SETTINGS = {
    "a weak SECRET_KEY": ({"SECRET_KEY": "change-me"}, "token_urlsafe"),
    "DEBUG": ({"DEBUG": "True"}, "Unset DEBUG"),
    "wild-card hosts": ({"ALLOWED_HOSTS": "*"}, "Name the host names"),
    "no hosts": ({"ALLOWED_HOSTS": ""}, "Name the host names"),
    "no encryption key": ({"FIELD_ENCRYPTION_KEYS": ""}, "Fernet key"),
    "failpoints": ({"TOCSIN_CRASH": "accept_before_commit"}, "Unset TOCSIN_CRASH"),
    "e-mail to the console": ({"EMAIL_URL": "consolemail://"}, "Name an SMTP server"),
    "origins over http": ({"CSRF_TRUSTED_ORIGINS": "http://app.example"}, "https://"),
    "a lease shorter than its task": ({"TOCSIN_LEASE_S": "5"}, "Raise TOCSIN_LEASE_S"),
}
POLICIES = ("allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-lru", "volatile-ttl")


@scenario("I5", "unsafe settings and servers at the start of production; check --deploy")
def refuse_unsafe_starts(stage: Stage) -> None:
    stage.publish(stage.scaled(1_000, 40)).join(60)
    postgres = _durable_postgres(stage)
    try:
        clean = _run(stage, _DEPLOY, DATABASE_URL=postgres.url("postgres"))
        said = (clean.stdout + clean.stderr).strip().splitlines()[-1]
        stage.figure("check --deploy", said[:60], limit="no issues", holds=clean.returncode == 0)
        cases = [*_settings(stage, postgres), *_of_postgres(stage, postgres), *_of_valkey(stage, postgres)]
    finally:
        postgres.stop()
    accepted = ", ".join(name for name, refused in cases if not refused)
    stage.figure("unsafe starts that were tried", len(cases))
    stage.figure("of them not refused", accepted or 0, limit="0", holds=not accepted)
    stage.settle()


def _durable_postgres(stage: Stage) -> Postgres:
    home = stage.system.home / "durable"
    (home / "logs").mkdir(parents=True)
    postgres = Postgres(home, "faults", free_port(0))
    postgres.start()
    return postgres


Cases = Iterator[tuple[str, bool]]


def _settings(stage: Stage, postgres: Postgres) -> Cases:
    for name, (given, remedy) in SETTINGS.items():
        yield name, _refused(stage, postgres, remedy, **given)


def _of_postgres(stage: Stage, postgres: Postgres) -> Cases:
    for name, change in {
        "full_page_writes": "ALTER SYSTEM {} full_page_writes",
        "synchronous_commit of the database": "ALTER DATABASE postgres {} synchronous_commit",
        "synchronous_commit of the role": "ALTER ROLE postgres {} synchronous_commit",
    }.items():
        _execute(postgres, change.format("SET") + " = off")
        yield name, _refused(stage, postgres, f"{name.split()[0]} = on")
        _execute(postgres, change.format("RESET"))
    postgres.stop()
    postgres.fast = True
    postgres.start()
    yield "fsync", _refused(stage, postgres, "fsync = on")
    postgres.stop()
    postgres.fast = False
    postgres.start()


def _execute(postgres: Postgres, sql: str) -> None:
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
        connection.execute(sql)
        connection.execute("SELECT pg_reload_conf()")


def _of_valkey(stage: Stage, postgres: Postgres) -> Cases:
    with stage.system.redis() as client:
        for policy in POLICIES:
            client.config_set("maxmemory-policy", policy)
            yield policy, _refused(stage, postgres, "noeviction")
        client.config_set("maxmemory-policy", "noeviction")


def _refused(stage: Stage, postgres: Postgres, remedy: str, **given: str) -> bool:
    done = _run(stage, _WEB, **({"DATABASE_URL": postgres.url("postgres")} | given))
    return done.returncode == 1 and remedy in done.stderr


def _run(stage: Stage, command: list[str], **given: str) -> "subprocess.CompletedProcess[str]":
    """Run a process of production to its end; one that starts is stopped after a while."""
    production = {
        "DJANGO_SETTINGS_MODULE": "config.settings.production",
        "SECRET_KEY": secrets.token_urlsafe(48),
        "ALLOWED_HOSTS": "tocsin.example",
        "TOCSIN_TRUSTED_PROXIES": "1",
    }
    words = [sys.executable, *command]
    environment = stage.system.environment | production | given
    try:
        return subprocess.run(
            words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=40, check=False
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(words, 0, "", "")
