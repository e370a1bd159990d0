"""One POST of a JSON object; any 2xx status is an acceptance."""

import aiohttp

from notifications.states import Channel
from notifications.transports.base import (
    LimitedError,
    Message,
    MessageError,
    OutcomeUnknown,
    Receipt,
    RecipientError,
    TemporaryError,
    TransportError,
)


class WebhookTransport:
    channel = Channel.WEBHOOK

    async def send(self, message: Message, address: str, *, timeout_s: float) -> Receipt:
        """Try once to post to the URL `address`. See `Transport.send`."""
        body = {"key": message.key, "title": message.title, "text": message.text}
        timeout = aiohttp.ClientTimeout(total=timeout_s)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.post(address, json=body, allow_redirects=False) as answer,
            ):
                if answer.ok:
                    return Receipt()
                raise _translated(answer.status, answer.headers.get("Retry-After", "1"))
        except aiohttp.ClientConnectorError:
            raise TemporaryError("the webhook cannot be reached") from None
        except (aiohttp.ClientError, TimeoutError):
            raise OutcomeUnknown("the webhook's answer was lost") from None


def _translated(status: int, retry_after: str) -> TransportError:
    reason = f"the webhook answered {status}"
    if status == 429:
        return LimitedError(reason, float(retry_after))
    if status >= 500:
        return TemporaryError(reason)
    return RecipientError(reason) if status in {404, 410} else MessageError(reason)
