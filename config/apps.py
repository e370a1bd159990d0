import importlib
import logging.config
from typing import cast

from django.apps import AppConfig
from django.conf import settings


class TocsinConfig(AppConfig):
    """The app of the composition root: sets up logging and the Celery application of every process."""

    name = "config"
    label = "tocsin"
    verbose_name = "Tocsin"

    def ready(self) -> None:
        logging.config.dictConfig(cast("dict[str, object]", settings.LOGGING))
        # Every process that publishes tasks needs the configured Celery application, not a default one.
        importlib.import_module("config.celery")
        importlib.import_module("config.safety")
