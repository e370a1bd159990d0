"""Taking updates by getUpdates, where Telegram cannot reach a webhook: in development."""

import logging
import threading
from concurrent.futures import CancelledError, Future, TimeoutError
from typing import Any

from django.db import connection

from notifications.bot import calls, outbox
from notifications.bot.handler import take
from notifications.transports.base import ConfigurationError, TransportError
from notifications.transports.telegram import bot_api
from notifications.transports.telegram.updates import NotAnUpdate
from runtime.postgres import clock
from runtime.postgres.away import DATABASE_AWAY

log = logging.getLogger(__name__)

_POLL_S = 25
_LOOK_S = 0.2  # how often a stop is looked for
_DATABASE_RETRY_S = 1.0
_RETRY_S, _LONG_RETRY_S = 2.0, 30.0
_HINT = "manage.py telegram_webhook delete"


class Poll:
    """Polls until `stopping` is set. Updates that were not taken stay with Telegram."""

    def __init__(self, stopping: threading.Event) -> None:
        self._stopping = stopping
        self._offset = 0  # of Telegram's oldest; what was taken before is recognized by its number

    def run(self) -> None:
        while not self._stopping.is_set():
            try:
                updates = self._next()
            except TransportError as error:
                self._wait_after(error)
                continue
            for update in updates:
                if not self._taken(update):
                    break
        self._confirm()

    def _next(self) -> list[dict[str, Any]]:
        """Return the next updates; none if the process is to stop meanwhile. Raises: `TransportError`."""
        waiting: Future[list[dict[str, Any]]] = calls.submit(
            bot_api.get_updates, self._offset, _POLL_S, timeout_s=_POLL_S + 10.0
        )
        while True:
            try:
                return waiting.result(timeout=_LOOK_S)
            except CancelledError:
                return []
            except TimeoutError:
                if self._stopping.is_set():
                    waiting.cancel()

    def _taken(self, update: dict[str, Any]) -> bool:
        """Take an update, and wait while the database is away. False if the process is to stop meanwhile."""
        while not self._stopping.is_set():
            try:
                outbox.give_later(take(update, now=clock.now()))
            except NotAnUpdate:
                log.warning("no_update")
            except DATABASE_AWAY as error:
                log.warning("update_not_taken_yet", extra={"error": type(error).__name__})
                connection.close()
                self._stopping.wait(_DATABASE_RETRY_S)
                continue
            self._offset = int(update.get("update_id", self._offset - 1)) + 1
            return True
        return False

    def _wait_after(self, error: TransportError) -> None:
        if "webhook is active" in error.reason:
            log.error("a_webhook_is_set", extra={"reason": f"getUpdates works without one: {_HINT}"})
            self._stopping.wait(_LONG_RETRY_S)
            return
        level = logging.ERROR if isinstance(error, ConfigurationError) else logging.WARNING
        log.log(level, "poll_failed", extra={"reason": error.reason, "error": type(error).__name__})
        self._stopping.wait(_LONG_RETRY_S if isinstance(error, ConfigurationError) else _RETRY_S)

    def _confirm(self) -> None:
        """Let Telegram forget what was taken. If this fails, a second delivery changes nothing."""
        if not self._offset:
            return
        try:
            calls.submit(bot_api.get_updates, self._offset, 0, timeout_s=3.0).result()
        except TransportError as error:
            log.info("not_confirmed", extra={"reason": error.reason})
