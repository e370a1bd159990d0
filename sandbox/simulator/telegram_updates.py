"""Updates as a bot receives them: kept until a getUpdates confirms them, or until its webhook has taken them.

https://core.telegram.org/bots/api#getting-updates
"""

import asyncio
import contextlib
import json
import time
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from sandbox.simulator.telegram_call import ApiError

Update = dict[str, Any]

_MAX_POLL_S = 50
_AGAIN_AFTER_S = (0.2, 0.5, 1.0, 2.0, 5.0)  # a failed webhook call is repeated; the real API is less patient
_ANSWER_WITHIN_S = 20
# What a bot gets only if it asks for it by name.
_ON_REQUEST = frozenset({"chat_member", "message_reaction", "message_reaction_count"})


@dataclass(slots=True)
class Webhook:
    url: str
    secret: str = ""
    max_connections: int = 40
    failed_at_s: int = 0
    failure: str = ""


@dataclass(slots=True)
class Updates:
    """The queue of one bot. Updates are delivered in order, one at a time."""

    webhook: Webhook | None = None
    allowed: list[str] = field(default_factory=list)  # empty: the default set
    _queue: list[Update] = field(default_factory=list)
    _last_id: int = 100_000_000
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)
    _poll: asyncio.Task[Any] | None = None
    _delivery: asyncio.Task[None] | None = None

    def add(self, kind: str, content: dict[str, Any]) -> int | None:
        """Queue an update and return its id; None if the bot does not want its kind."""
        wanted = kind in self.allowed if self.allowed else kind not in _ON_REQUEST
        if not wanted:
            return None
        self._last_id += 1
        self._queue.append({"update_id": self._last_id, kind: content})
        self._arrived.set()
        return self._last_id

    async def take(self, offset: int, *, limit: int, timeout_s: int) -> list[Update]:
        """Forget the updates before `offset`, and return the next ones. Raises: `ApiError`.

        A negative `offset` counts from the end of the queue. A second call ends the one that waits.
        """
        if self._poll is not None:
            self._poll.cancel()
        if offset:
            self._queue = self._queue[offset:] if offset < 0 else self._from(offset)
        self._poll = poll = asyncio.ensure_future(self._wait(min(timeout_s, _MAX_POLL_S)))
        try:
            await poll
        except asyncio.CancelledError:
            if self._poll is poll:  # the client has gone
                raise
            raise ApiError(
                409,
                "Conflict: terminated by other getUpdates request; make sure that only one bot instance is"
                " running",
            ) from None
        finally:
            if self._poll is poll:
                self._poll = None
        return self._queue[:limit]

    def set_webhook(self, webhook: Webhook | None, *, drop: bool) -> None:
        """Deliver to this URL from now on; None: to getUpdates."""
        if drop:
            self._queue.clear()
        if self._delivery is not None:
            self._delivery.cancel()
        self.webhook = webhook
        self._delivery = asyncio.create_task(self._deliver(webhook)) if webhook else None

    def info(self) -> dict[str, Any]:
        """Return the `WebhookInfo`."""
        found: dict[str, Any] = {"url": "", "has_custom_certificate": False}
        found["pending_update_count"] = len(self._queue)
        if self.webhook is not None:
            found |= {"url": self.webhook.url, "max_connections": self.webhook.max_connections}
            if self.webhook.failed_at_s:
                found["last_error_date"] = self.webhook.failed_at_s
                found["last_error_message"] = self.webhook.failure
        return found | ({"allowed_updates": self.allowed} if self.allowed else {})

    def _from(self, offset: int) -> list[Update]:
        return [update for update in self._queue if update["update_id"] >= offset]

    async def _wait(self, timeout_s: float) -> None:
        self._arrived.clear()
        if not self._queue:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._arrived.wait(), timeout_s)

    async def _deliver(self, webhook: Webhook) -> None:
        async with aiohttp.ClientSession() as session:
            failures = 0
            while True:
                self._arrived.clear()
                if not self._queue:
                    await self._arrived.wait()
                    continue
                update = self._queue[0]
                if await _posted(session, webhook, update):
                    self._queue = [one for one in self._queue if one is not update]
                    failures = 0
                    continue
                await asyncio.sleep(_AGAIN_AFTER_S[min(failures, len(_AGAIN_AFTER_S) - 1)])
                failures += 1


async def _posted(session: aiohttp.ClientSession, webhook: Webhook, update: Update) -> bool:
    """Call the webhook and tell whether it took the update, that is: answered with 2xx."""
    headers = {"Content-Type": "application/json"}
    if webhook.secret:
        headers["X-Telegram-Bot-Api-Secret-Token"] = webhook.secret
    timeout = aiohttp.ClientTimeout(total=_ANSWER_WITHIN_S)
    try:
        async with session.post(
            webhook.url, data=json.dumps(update), headers=headers, timeout=timeout, allow_redirects=False
        ) as answer:
            if 200 <= answer.status < 300:
                return True
            webhook.failure = f"Wrong response from the webhook: {answer.status} {answer.reason}"
    except TimeoutError:
        webhook.failure = "Read timeout expired"
    except aiohttp.ClientError:
        webhook.failure = "Connection refused"
    webhook.failed_at_s = int(time.time())
    return False
