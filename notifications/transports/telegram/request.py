"""python-telegram-bot's requests over aiohttp: a tenth of httpx's CPU time per call (docs/decisions/0005)."""

import json
from typing import Any

import aiohttp
from telegram.error import NetworkError, TelegramError
from telegram.request import BaseRequest, RequestData

_POOL = 64
_DEFAULT_S = 10.0


class NotSent(NetworkError):
    """No connection was made, so no message was sent."""


class NoUrl(NetworkError):
    """The API's address and the token form no valid URL."""


class AnswerLost(NetworkError):
    """The request was sent, and no readable answer came: a message may have left."""


class NotTheBotApi(NetworkError):
    """Something between us and Telegram answered: a proxy, a portal, a firewall."""


class AiohttpRequest(BaseRequest):
    """Calls without files.

    Raises: `NoUrl` and `NotSent` if nothing was sent, `NotTheBotApi` for a foreign answer,
    `AnswerLost` if the answer was lost. None of them names the URL, which contains the bot's token, or quotes
    a foreign answer.
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
                return answer.status, _checked(answer.status, await answer.read())
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as failure:
            raise NoUrl(type(failure).__name__) from None  # its text contains the URL
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as failure:
            raise NotSent(type(failure).__name__) from failure
        except TimeoutError as failure:
            raise AnswerLost("no answer in time") from failure
        except aiohttp.ClientError as failure:
            raise AnswerLost(f"{type(failure).__name__} while waiting for the answer") from failure


def _seconds(given: Any) -> float:
    """Return the given timeout; python-telegram-bot passes an object of its own for "not given"."""
    return float(given) if isinstance(given, int | float) else _DEFAULT_S


def _checked(status: int, body: bytes) -> bytes:
    """Return a body in the Bot API's form: a result, or an error of this status with a description.

    Raises: `NotTheBotApi`; and `AnswerLost` where the message may have left, as the request succeeded or
    was passed on (504), but the answer is not readable.
    """
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    if isinstance(answer, dict) and _is_the_bot_apis(status, answer):
        return body
    foreign = isinstance(answer, dict) or body.lstrip()[:1] == b"<"
    if status == 504 or (status < 300 and not foreign):
        raise AnswerLost(f"HTTP {status} without a readable answer")
    raise NotTheBotApi(f"HTTP {status}, not from the Bot API")


def _is_the_bot_apis(status: int, answer: dict[str, Any]) -> bool:
    """https://core.telegram.org/bots/api#making-requests"""
    if status < 300:
        return answer.get("ok") is True and "result" in answer
    described = isinstance(answer.get("description"), str) and answer.get("error_code") == status
    parameters = answer.get("parameters", {})
    numbers = isinstance(parameters, dict) and all(
        isinstance(parameters.get(name, 0), int) for name in ("retry_after", "migrate_to_chat_id")
    )
    return answer.get("ok") is False and described and numbers
