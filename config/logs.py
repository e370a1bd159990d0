"""Log configuration: one JSON object per line, with a fixed message and parameters.

Logs never contain an address, a payload or a token. httpx logs whole URLs, and a Telegram URL contains the
bot's token, so httpx is silent below WARNING. Django logs the paths of failed requests; that of the page that
verifies an address is a secret.
"""

import re
from typing import Any

import structlog

_QUIET = (
    "httpx",
    "httpcore",
    "telegram",
    "daphne.http_protocol",
    "daphne.ws_protocol",
    "django.channels.server",
    # Two lines per doorbell, a tenth of its cost. Our own lines report which events were accepted and sent.
    "celery.worker.strategy",
    "celery.app.trace",
)


_SECRET_PATH = re.compile(r"(/verify/|/password/reset/\w+/)[\w-]+")


def logging_config(level: str, *, json: bool) -> dict[str, Any]:
    """Return a `logging.config` dictionary that renders stdlib and structlog records in the same way."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    renderer = structlog.processors.JSONRenderer() if json else structlog.dev.ConsoleRenderer()
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "tocsin": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": shared,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.format_exc_info,
                    renderer,
                    _without_secret_paths,
                ],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "tocsin"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {name: {"level": "WARNING"} for name in _QUIET},
    }


def _without_secret_paths(_: object, __: str, line: str) -> str:
    return _SECRET_PATH.sub(r"\1…", line)
