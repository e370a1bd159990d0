"""The Celery application: `celery -A config.celery`."""

import os

import django
from celery import Celery
from celery.signals import import_modules, setup_logging, task_postrun, task_prerun
from django.apps import apps
from django.db import close_old_connections
from kombu.transport import TRANSPORT_ALIASES

from runtime.postgres import clock
from runtime.start import refuse_unsafe_start

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.development")

TRANSPORT_ALIASES |= dict.fromkeys(["redis", "rediss"], "config.redis_broker:Transport")

# Without Celery's Django fixup: it closes the connection, and the pool, before and after every task.
app = Celery("tocsin", fixups=[])
app.set_default()  # for every thread: the current application is thread-local
app.config_from_object("django.conf:settings", namespace="CELERY")


@setup_logging.connect
def keep_our_logs(**_: object) -> None:
    """Do nothing; a receiver stops Celery from replacing our log handlers."""


@import_modules.connect
def set_up_django(**_: object) -> None:
    """Load the apps before the tasks, and stop if a start is unsafe."""
    if not apps.ready:  # web processes have done both
        django.setup()
        refuse_unsafe_start()
        clock.refuse_skew()


@task_prerun.connect
@task_postrun.connect
def keep_good_connections(**_: object) -> None:
    """Close broken and old connections (`CONN_MAX_AGE`), as Django does between requests."""
    close_old_connections()


# Last: its receiver of `import_modules` must come after the one that sets up Django.
app.autodiscover_tasks(["notifications"])
