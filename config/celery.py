"""The Celery application: `celery -A config.celery`."""

import os

from celery import Celery
from celery.signals import setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.development")

app = Celery("tocsin")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["notifications"])


@setup_logging.connect
def keep_our_logs(**_: object) -> None:
    """Be a receiver, so that Celery does not install its own handlers over ours."""
