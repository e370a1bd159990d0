"""Limits of what clients send. Every error names its field and says what to do."""

import json
import math
import re
from typing import Any, NoReturn

API = "/api/v1"
PUBLISH, PUBLISH_BATCH, USERS = f"{API}/events", f"{API}/events/batch", f"{API}/users"
# Of a hook, with its token or without; a number in the first place is a hook's id (`gateway/api/hooks`).
HOOK_PATH = re.compile(rf"{API}/hooks/(?!\d+(/|$))(?P<normalizer>[^/]*)(/(?P<token>.*))?", re.DOTALL)
EVENT_BYTES = 256 * 1024
OTHER_BYTES = 256 * 1024  # of every other request: calls of the API, forms of the login and the admin
BATCH_EVENTS = 1_000
BATCH_BYTES = 4 * 1024 * 1024
PAYLOAD_DEPTH = 16
PAYLOAD_KEYS = 256
STRING_BYTES = 16 * 1024
METADATA_ENTRIES = 64
CHANNELS = 16
LATEST_MS = 253_402_300_799_999  # the end of the year 9999
# In milliseconds a time before 2001, in seconds the year 33658: a lower number was meant as seconds.
_SECONDS_BELOW = 10**12
_MICROSECONDS_BELOW, _NANOSECONDS_BELOW = 10**17, 10**20


class InvalidEvent(Exception):
    """A body or field that is rejected. `event_id` is "" where it could not be read."""

    def __init__(self, code: str, detail: str, field: str = "", event_id: str = "") -> None:
        super().__init__(code, detail, field, event_id)
        self.code = code
        self.detail = detail
        self.field = field
        self.event_id = event_id


def body_limit(path: str, *, with_key: bool) -> int:
    """Return how many bytes the body of a request to this path may have."""
    if path == USERS and with_key:
        return BATCH_BYTES
    if HOOK_PATH.fullmatch(path):
        return BATCH_BYTES
    if path not in {PUBLISH, PUBLISH_BATCH}:
        return OTHER_BYTES
    if not with_key:
        return 0  # it is refused whatever the body says
    return BATCH_BYTES if path == PUBLISH_BATCH else EVENT_BYTES


def parse_json(text: str | bytes, field: str) -> Any:
    """Return the parsed JSON. Raises: `InvalidEvent`, also for NaN, Infinity and endless nesting."""
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidEvent("invalid_json", f"Send valid JSON: {str(error)[:120]}.", field) from error


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def check_payload(payload: Any, field: str) -> Any:
    """Return `payload`, or raise `InvalidEvent` unless it is an object within the documented limits."""
    if not isinstance(payload, dict):
        raise InvalidEvent("payload_not_object", "Send the payload as a JSON object.", field)
    keys = 0
    todo: list[tuple[Any, int, str]] = [(payload, 1, field)]
    while todo:
        value, depth, path = todo.pop()
        if depth > PAYLOAD_DEPTH:
            raise InvalidEvent("payload_too_deep", f"Nest at most {PAYLOAD_DEPTH} levels.", path)
        if isinstance(value, dict):
            keys += len(value)
            for key, inner in value.items():
                check_text(key, path)
                todo.append((inner, depth + 1, f"{path}.{key[:40]}"))
        elif isinstance(value, list):
            todo += [(inner, depth + 1, f"{path}[{index}]") for index, inner in enumerate(value)]
        else:
            _check_scalar(value, path)
        if keys > PAYLOAD_KEYS:
            raise InvalidEvent("payload_too_many_keys", f"Send at most {PAYLOAD_KEYS} keys in all.", field)
    return payload


def _check_scalar(value: Any, path: str) -> None:
    if isinstance(value, str):
        check_text(value, path)
    elif isinstance(value, float) and not math.isfinite(value):
        raise InvalidEvent("invalid_number", "Send finite numbers; large ones as strings.", path)


def check_text(value: str, field: str, *, longest: int = STRING_BYTES) -> str:
    """Return `value`, or raise `InvalidEvent`: too long, or with characters that Postgres cannot store."""
    try:
        size = len(value) if value.isascii() else len(value.encode())
    except UnicodeEncodeError as error:
        raise InvalidEvent("invalid_text", "Remove the lone surrogates: they are not text.", field) from error
    if size > longest:
        raise InvalidEvent("too_long", f"Send at most {longest} bytes.", field)
    if "\0" in value:
        raise InvalidEvent("invalid_text", "Remove the NUL characters.", field)
    return value


def check_time(value: Any, field: str) -> int:
    """Return Unix milliseconds, 0 for none, or raise `InvalidEvent`, which names the unit of another time."""
    if isinstance(value, int) and (unit := _other_unit(value)):
        raise InvalidEvent("out_of_range", f"Send milliseconds; this looks like {unit}.", field)
    return check_integer(value, field, highest=LATEST_MS)


def _other_unit(value: int) -> str:
    """Return the unit in which a number that is no time in milliseconds would be one of our age."""
    if 1 < value < _SECONDS_BELOW:
        return "seconds"
    if LATEST_MS < value < _MICROSECONDS_BELOW:
        return "microseconds"
    return "nanoseconds" if _MICROSECONDS_BELOW <= value < _NANOSECONDS_BELOW else ""


def check_integer(value: Any, field: str, *, lowest: int = 0, highest: int = 2**63 - 1) -> int:
    """Return `value` as an int, or raise `InvalidEvent`."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidEvent("not_an_integer", "Send a whole number.", field)
    if not lowest <= value <= highest:
        raise InvalidEvent("out_of_range", f"Send a number from {lowest} to {highest}.", field)
    return value
