"""The start of a process: refused while a system check fails."""

import logging
import sys

from django.conf import settings
from django.core.checks import ERROR, run_checks

from runtime.postgres.connection import close_before_fork

log = logging.getLogger(__name__)


def refuse_unsafe_start() -> None:
    """End the process if a check fails, in production also one of deployment; log what else is found."""
    found = run_checks(include_deployment_checks=settings.PRODUCTION)
    close_before_fork()
    errors = [message for message in found if message.level >= ERROR]
    for message in found:
        if message not in errors and not message.is_silenced():
            log.warning("start_check", extra={"check": message.id, "text": message.msg})
    if errors:
        sys.exit("Not started:\n" + "\n".join(map(str, errors)))
