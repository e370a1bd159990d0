"""What a format is: the declaration of one, what it is given, and the events that it makes of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import Any

from gateway.codec.limits import InvalidEvent

JsonObject = dict[str, Any]

_ID_BYTES = 200


@dataclass(frozen=True, slots=True)
class Received:
    """What was posted to a hook. `options` are the hook's, checked; `account` is that of the request's query.

    `headers` are those with a meaning in some format, in lower case. `now_ms`: when it arrived. `link_hosts`:
    where links of its source may lead; others are shown as text.
    """

    body: bytes
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    account: str = ""
    options: Any = None
    now_ms: int = 0
    link_hosts: tuple[str, ...] = ()


class Whom(StrEnum):
    USER = "user_id"
    GROUP = "group"
    TOPIC = "topic"
    ACCOUNT = "account"


@dataclass(frozen=True, slots=True)
class To:
    """Who is told: a person, the members of a group, a topic's followers, or whose account it is."""

    whom: Whom
    name: str


@dataclass(frozen=True, slots=True)
class Draft:
    """One event for one recipient. `event`: its fields as a JSON event has them, without id and recipient.

    `same`: what makes it the same event as another with its id; without it everything does, so that other
    content under the id is a conflict. `raw`: the part of the input that it was made of, if not all.
    """

    to: To
    event_id: str
    event: JsonObject
    same: str = ""
    raw: bytes = b""


@dataclass(frozen=True, slots=True)
class Normalizer:
    """One format. `name` stands in the path of its hooks.

    `read` returns the events, none if the input is known to concern nobody; it raises `InvalidEvent` for what
    it does not know, and claims nothing that the input does not say. `check_options` returns the options of a
    hook as `read` wants them; it raises `InvalidEvent` with the field that is wrong.
    """

    name: str
    label: str
    read: Callable[[Received], list[Draft]]
    check_options: Callable[[JsonObject], Any]


def event_id(*parts: object) -> str:
    """Return an id made of these parts: readable, or by its digest if it would be too long to be one."""
    text = ":".join(str(part) for part in parts)
    if len(text.encode(errors="surrogatepass")) <= _ID_BYTES:
        return text
    return f"sha256:{sha256(text.encode(errors='surrogatepass')).hexdigest()}"


def not_understood(detail: str, field: str = "") -> InvalidEvent:
    return InvalidEvent("not_understood", detail, field)
