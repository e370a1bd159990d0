"""python-telegram-bot's requests over aiohttp: a tenth of httpx's CPU time per call (docs/decisions/0005)."""

import json
from typing import Any

import aiohttp
from telegram.error import NetworkError, TelegramError, TimedOut
from telegram.request import BaseRequest, RequestData

_POOL = 64
_DEFAULT_S = 10.0


class NotSent(NetworkError):
    """No connection was made, so no message was sent."""


class NoUrl(NetworkError):
    """The API's address and the token form no valid URL."""


class AiohttpRequest(BaseRequest):
    """Calls without files.

    Raises: `NoUrl` and `NotSent` if nothing was sent, `TimedOut` and `NetworkError` if the answer was lost.
    None of them names the URL, which contains the bot's token.
    """

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    @property
    def read_timeout(self) -> float:
        return _DEFAULT_S

    async def initialize(self) -> None:
        """Open the pool. Must run on the loop that sends."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=_POOL), cookie_jar=aiohttp.DummyCookieJar()
        )

    async def shutdown(self) -> None:
        if self._session is not None:
            await self._session.close()

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        """Parse an answer. The library's own method logs a broken answer, which may contain the message."""
        try:
            parsed: dict[str, Any] = json.loads(payload)
        except ValueError:
            raise TelegramError("Invalid server response") from None
        return parsed

    async def do_request(
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        read_timeout: Any = None,
        write_timeout: Any = None,
        connect_timeout: Any = None,
        pool_timeout: Any = None,
    ) -> tuple[int, bytes]:
        """Make one call. See `BaseRequest.do_request`."""
        assert self._session is not None, "call initialize() first"
        timeout = aiohttp.ClientTimeout(
            connect=_seconds(pool_timeout),
            sock_connect=_seconds(connect_timeout),
            sock_read=_seconds(read_timeout),
        )
        fields = request_data.json_parameters if request_data else None
        try:
            async with self._session.request(
                method, url, data=fields, timeout=timeout, allow_redirects=False
            ) as answer:
                return answer.status, await answer.read()
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as failure:
            raise NoUrl(type(failure).__name__) from None  # its text contains the URL
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as failure:
            raise NotSent(type(failure).__name__) from failure
        except TimeoutError as failure:
            raise TimedOut("no answer in time") from failure
        except aiohttp.ClientError as failure:
            raise NetworkError(f"{type(failure).__name__} while waiting for the answer") from failure


def _seconds(given: Any) -> float:
    """Return the given timeout; python-telegram-bot passes an object of its own for "not given"."""
    return float(given) if isinstance(given, int | float) else _DEFAULT_S
