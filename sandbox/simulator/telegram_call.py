"""The types of a Bot API method: the call, Telegram's memory, a result or an error."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, NamedTuple

_KEPT_MESSAGES = 200_000


class ApiError(Exception):
    """An error in the format of the Bot API; `parameters` as in ResponseParameters.

    `early`: the call came before the time that an earlier refusal had given.
    """

    def __init__(
        self, status: int, description: str, parameters: dict[str, int] | None = None, *, early: bool = False
    ) -> None:
        super().__init__(status, description, parameters)
        self.early = early
        self.status = status
        self.description = description
        self.parameters = parameters


@dataclass(slots=True)
class Call:
    """One parsed request to the Bot API."""

    token: str
    method: str
    params: dict[str, str]
    now_s: int

    @property
    def chat_id(self) -> str:
        return self.params.get("chat_id", "").strip()

    @property
    def bot_id(self) -> int:
        return int(self.token.partition(":")[0])


class Done(NamedTuple):
    """A method's `result`, its `description` if any, and its fields for the log."""

    result: Any
    logged: dict[str, Any]
    description: str | None = None


class Telegram:
    """The memory of the simulated Telegram: message numbers, recent contents, webhooks."""

    def __init__(self) -> None:
        self._last_ids: dict[str, int] = {}
        self._contents: OrderedDict[tuple[str, int], int] = OrderedDict()
        self.webhooks: dict[str, dict[str, Any]] = {}

    def new_message(self, chat_id: str, content: tuple[str, str]) -> int:
        message_id = self._last_ids.get(chat_id, 0) + 1
        self._last_ids[chat_id] = message_id
        self.keep(chat_id, message_id, content)
        return message_id

    def has(self, chat_id: str, message_id: int) -> bool:
        return 0 < message_id <= self._last_ids.get(chat_id, 0)

    def is_same(self, chat_id: str, message_id: int, content: tuple[str, str]) -> bool:
        return self._contents.get((chat_id, message_id)) == hash(content)

    def keep(self, chat_id: str, message_id: int, content: tuple[str, str]) -> None:
        self._contents[chat_id, message_id] = hash(content)
        if len(self._contents) > _KEPT_MESSAGES:
            self._contents.popitem(last=False)


def bad_request(description: str) -> ApiError:
    return ApiError(400, f"Bad Request: {description}")
