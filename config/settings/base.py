"""Settings of all environments, read from environment variables."""

from pathlib import Path
from typing import Any

import django_stubs_ext
from django.templatetags.static import static

from config import brokers
from config.env import ROOT, env, read_settings
from config.logs import logging_config
from gateway.settings import EdgeSettings
from notifications.settings import PipelineSettings
from runtime.postgres.connection import Connection

django_stubs_ext.monkeypatch()

BASE_DIR: Path = ROOT
SECRET_KEY = env.str("SECRET_KEY")
DEBUG = False
PRODUCTION = False  # whether a failed deployment check stops the start
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
CORS_ALLOWED_ORIGINS = env.list("CORS_ALLOWED_ORIGINS", default=[])  # see gateway/auth/origins.py

# Encrypts destinations at rest. The first key encrypts, all of them decrypt; separate from SECRET_KEY, so
# that each can be rotated alone.
FIELD_ENCRYPTION_KEYS = env.list("FIELD_ENCRYPTION_KEYS")

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "channels",
    "ninja",  # serves the API's docs without a CDN
    "config",
    "users",
    "notifications",
    "gateway",
]

MIDDLEWARE = [
    "gateway.auth.cors.cors",  # first, so that a page can read every error
    "gateway.auth.key_rates.rate_headers",
    "gateway.api.problems.problem_documents",
    "django.middleware.security.SecurityMiddleware",
    "servestatic.middleware.ServeStaticMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
AUTH_USER_MODEL = "users.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATA_UPLOAD_MAX_MEMORY_SIZE = 4 * 1024 * 1024  # one batch of events; see gateway/codec/limits.py
LOGIN_URL = "/login/"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}", "OPTIONS": options}
    for name, options in {
        "UserAttributeSimilarityValidator": {},
        "MinimumLengthValidator": {"min_length": 10},
        "CommonPasswordValidator": {},
        "NumericPasswordValidator": {},
    }.items()
]
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/login/"

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "gateway" / "web" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

DATABASE_POOL_SIZE = env.int("DATABASE_POOL_SIZE", default=10)
DATABASE_ANSWER_WITHIN_S = env.float("DATABASE_ANSWER_WITHIN_S", default=8.0)
DATABASES = {
    "default": {
        **env.db_url("DATABASE_URL"),
        "ENGINE": "runtime.postgres",
        # Under ASGI any thread may run a request, so connections come from one pool. A worker's tasks run on
        # one thread, which keeps its connection.
        "CONN_MAX_AGE": 0 if DATABASE_POOL_SIZE else 300,
        "CONN_HEALTH_CHECKS": not DATABASE_POOL_SIZE,
        "OPTIONS": {
            "pool": DATABASE_POOL_SIZE
            and {
                "min_size": 0,
                "max_size": DATABASE_POOL_SIZE,
                "timeout": 5,
                # Reconnecting ends after the same time as waiting, and the next query starts it again. By
                # default the pool's pauses double for five minutes, without replacing lost connections.
                "reconnect_timeout": 5,
                "connection_class": Connection,
            },
            "connect_timeout": 3,
            # For a network that drops packets: a connection without an answer ends within about ten seconds.
            "tcp_user_timeout": 10_000,
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            "application_name": "tocsin",
        },
    }
}

REDIS_URL = env.str("REDIS_URL")

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
USE_I18N = False

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [
    BASE_DIR / "gateway" / "web" / "static",
    ("tocsin", BASE_DIR / "clients" / "js" / "src"),  # any page may import the client
]

UNFOLD = {
    "SITE_TITLE": "Tocsin",
    "SITE_HEADER": "Tocsin",
    "SITE_SUBHEADER": "people, sources, events",
    "SITE_URL": "/",
    "SITE_ICON": lambda request: static("gateway/logo.svg"),
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("gateway/logo.svg")}
    ],
    "SHOW_VIEW_ON_SITE": False,
    "STYLES": [lambda request: static("gateway/admin.css")],
}

# Carries doorbells only; see the Celery settings below.
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default=REDIS_URL)

TOCSIN = read_settings(PipelineSettings, countdown_max_s=brokers.countdown_max_s(CELERY_BROKER_URL))
TOCSIN_EDGE = read_settings(EdgeSettings)
# The demo: a page with sample buttons and the provider simulator's log. Never in production.
TOCSIN_DEMO = False
SANDBOX_URL = ""

# Channels from other packages: dotted paths of their declarations. CONTRIBUTING.md has the recipe.
TOCSIN_CHANNELS = env.list("TOCSIN_CHANNELS", default=[])

# Hosts that callbacks of sources may lead to although they are not public, over http or another port too.
CALLBACK_PRIVATE_HOSTS = env.list("CALLBACK_PRIVATE_HOSTS", default=[])

# Where people reach the gateway, for links in messages to them. Empty: those messages have no link.
TOCSIN_PUBLIC_URL = env.str("TOCSIN_PUBLIC_URL", default="").rstrip("/")

TELEGRAM_BOT_TOKEN = env.str("TELEGRAM_BOT_TOKEN", default="")
TELEGRAM_API_URL = env.str("TELEGRAM_API_URL", default="https://api.telegram.org/bot")
TELEGRAM_BOT_NAME = env.str("TELEGRAM_BOT_NAME", default="")  # in deep links; empty: Telegram is asked
# Only Telegram knows it, so only Telegram can call the webhook. Empty: there is no webhook.
TELEGRAM_WEBHOOK_SECRET = env.str("TELEGRAM_WEBHOOK_SECRET", default="")

vars().update(env.email_url("EMAIL_URL", default="consolemail://"))
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="Tocsin <tocsin@localhost>")

# A person's client may sign in with a JWT instead of a browser session. Public keys in PEM, EdDSA or RS256.
JWT_PUBLIC_KEYS = [key.replace("\\n", "\n") for key in env.list("JWT_PUBLIC_KEYS", default=[])]
JWT_AUDIENCE = env.str("JWT_AUDIENCE", default="tocsin")
JWT_ISSUERS = env.list("JWT_ISSUERS", default=[])

LOG_LEVEL = env.str("LOG_LEVEL", default="INFO")
LOGGING_CONFIG = None
LOGGING = logging_config(LOG_LEVEL, json=env.bool("LOG_JSON", default=True))

# --- Celery carries doorbells only. Each line has its reason. -------------------------------------------
CELERY_RESULT_BACKEND = None  # results are rows in Postgres; a result store would only add round trips
CELERY_TASK_IGNORE_RESULT = True  # nothing reads results
CELERY_TASK_SERIALIZER = "json"  # the default, stated explicitly: never pickle
CELERY_ACCEPT_CONTENT = ["json"]  # arguments are ids; pickle can execute code
CELERY_TASK_ACKS_LATE = True  # a killed worker's message is redelivered
CELERY_TASK_REJECT_ON_WORKER_LOST = True  # else acks_late acknowledges the message of a killed child
# A hanging task ends before its lease (`lease_s`), and logs that before it is killed.
CELERY_TASK_TIME_LIMIT = env.int("CELERY_TASK_TIME_LIMIT", default=50)  # seconds
CELERY_TASK_SOFT_TIME_LIMIT = env.int("CELERY_TASK_SOFT_TIME_LIMIT", default=45)  # seconds
CELERY_WORKER_PREFETCH_MULTIPLIER = 1  # a slow send must not hold back prefetched work
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = env.float(
    "CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT", default=20
)  # finish tasks in flight, return the others
CELERY_WORKER_ENABLE_SOFT_SHUTDOWN_ON_IDLE = True  # returns prefetched and ETA tasks too
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True  # their messages will be redelivered
CELERY_WORKER_HIJACK_ROOT_LOGGER = False  # keeps our JSON logs
CELERY_WORKER_SEND_TASK_EVENTS = True  # Flower
CELERY_TASK_SEND_SENT_EVENT = False  # would cost one more publish per doorbell, for Flower alone
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # retry for ever; by default the worker exits after 100
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True  # a worker may start before its broker
CELERY_BROKER_CONNECTION_TIMEOUT = 3  # publishers give up soon: the rows are due anyway
CELERY_BROKER_TRANSPORT_OPTIONS = brokers.transport_options(CELERY_BROKER_URL)  # reasons are there
CELERY_VISIBILITY_TIMEOUT = brokers.VISIBILITY_S  # this, the broker's and the result backend's must agree
CELERY_RESULT_BACKEND_TRANSPORT_OPTIONS = {"visibility_timeout": brokers.VISIBILITY_S}  # the same
# Without a broker a publisher gives up within a second: the rows are due anyway.
CELERY_TASK_PUBLISH_RETRY_POLICY = {
    "max_retries": 2,
    "interval_start": 0,
    "interval_step": 0.2,
    "interval_max": 0.5,
}
CELERY_TASK_CREATE_MISSING_QUEUES = False  # a misspelled queue name is an error
CELERY_TASK_DEFAULT_QUEUE = "normal"  # a task without a queue must go to one that is consumed
CELERY_TASK_QUEUES = brokers.queues(
    CELERY_BROKER_URL
)  # by urgency; the sweep's queue is separate from slow sends
CELERY_WORKER_CONSUMER = brokers.consumer(CELERY_BROKER_URL)  # on RabbitMQ it declares the dead-letter queue
CELERY_BEAT_SCHEDULER = "config.beat:IntervalScheduler"  # two beats are harmless: the sweep is idempotent
# Every second, see docs/decisions/0001.
CELERY_BEAT_SCHEDULE = {
    "sweep": {"task": "tocsin.sweep", "schedule": 1.0, "options": {"queue": "control"}},
    "count_open_rows": {"task": "tocsin.count_open_rows", "schedule": 5.0, "options": {"queue": "control"}},
    "recheck": {"task": "tocsin.recheck", "schedule": 60.0, "options": {"queue": "control"}},
    "expiry": {"task": "tocsin.forget_expired", "schedule": 600.0, "options": {"queue": "control"}},
    "erasures": {
        "task": "tocsin.erase",
        "schedule": 10.0,
        "options": {"queue": "normal"},
    },  # no sweep waits for it
    "heartbeat": {"task": "tocsin.heartbeat", "schedule": 60.0, "options": {"queue": "control"}},
} | {
    f"canary-{queue.name}": {
        "task": "tocsin.canary",
        "schedule": 10.0,
        "kwargs": {"queue": queue.name},
        "options": {"queue": queue.name},
    }
    for queue in CELERY_TASK_QUEUES
}
# Called every minute while the guarantee holds: a watchdog there raises the alarm when the calls stop.
HEARTBEAT_URL = env.str("HEARTBEAT_URL", default="")

DEMO_PASSWORD = ""
FLOWER_URL = env.str("FLOWER_URL", default="")
