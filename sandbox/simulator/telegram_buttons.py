"""Inline keyboards, refused in the same cases and with the same texts as Telegram.

Follows `get_inline_keyboard_button` of the Bot API server and `LinkManager::get_checked_link` of TDLib.
"""

import re
from typing import Any
from urllib.parse import urlsplit

from sandbox.simulator.telegram_call import bad_request

_MAX_DATA_BYTES = 64
_SCHEMES = {"http", "https", "ton", "tg", "tonsite"}
_PRIVATE = re.compile(r"localhost|(.*\.)?(local|localhost|internal)|127\..*|10\..*|192\.168\..*")


def check_keyboard(rows: Any) -> None:
    """Raises: `ApiError`."""
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise bad_request('field "inline_keyboard" of the InlineKeyboardMarkup must be an Array of Arrays')
    for row in rows:
        for button in row:
            _check_button(button)


def _check_button(button: Any) -> None:
    if not isinstance(button, dict) or not isinstance(button.get("text"), str):
        raise bad_request("can't parse inline keyboard button: Can't find field \"text\"")
    if "url" in button:
        _check_url(str(button["url"]))
    elif "callback_data" in button:
        if not 0 < len(str(button["callback_data"]).encode()) <= _MAX_DATA_BYTES:
            raise bad_request("BUTTON_DATA_INVALID")
    else:
        raise bad_request(
            "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard"
        )
    if not button["text"].strip():
        raise bad_request("can't parse inline keyboard button: inline keyboard button text must be non-empty")


def _check_url(url: str) -> None:
    try:
        found = urlsplit(url if "://" in url else f"http://{url}")
        host = found.hostname or ""
    except ValueError:
        host, found = "", urlsplit("")
    if found.scheme not in _SCHEMES or (found.scheme in {"http", "https"} and "." not in host):
        raise bad_request(f"inline keyboard button URL '{url}' is invalid: Wrong HTTP URL")
    if _PRIVATE.fullmatch(host):
        raise bad_request("BUTTON_URL_INVALID")
