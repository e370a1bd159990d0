"""The types of a Bot API method: the call, a result or an error."""

from dataclasses import dataclass
from typing import Any, NamedTuple


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


def bad_request(description: str) -> ApiError:
    return ApiError(400, f"Bad Request: {description}")
