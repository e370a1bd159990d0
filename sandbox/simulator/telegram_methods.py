"""The Bot API methods: each takes parameters and returns a `result` or raises an `ApiError`.

Shapes: https://core.telegram.org/bots/api. Descriptions of errors are the real ones.
"""

import json
import re
from collections.abc import Callable
from typing import Any

from sandbox.simulator.telegram_buttons import check_keyboard
from sandbox.simulator.telegram_call import ApiError, Call, Done, bad_request
from sandbox.simulator.telegram_chats import bot_user, chat_object
from sandbox.simulator.telegram_html import CannotParse, Entity, parse_html, utf16_length
from sandbox.simulator.telegram_memory import Telegram
from sandbox.simulator.telegram_updates import Webhook

MAX_TEXT_UTF16 = 4096
_SECRET_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,256}")
_NUMBER = re.compile(r"-?[0-9]{1,19}")


def send_message(telegram: Telegram, call: Call) -> Done:
    chat = chat_object(call.chat_id)
    text, entities = _text(call.params)
    markup = _markup(call.params)
    telegram.check(call.chat_id)
    content = (call.params["text"], call.params.get("reply_markup", ""))
    message_id = telegram.new_message(call.chat_id, content)
    done = _message(call, chat, message_id, text, entities, markup)
    telegram.show(call.chat_id, done.result)
    return done


def edit_message_text(telegram: Telegram, call: Call) -> Done:
    chat = chat_object(call.chat_id)
    raw_id = call.params.get("message_id", "")
    if not _NUMBER.fullmatch(raw_id):
        raise bad_request("message identifier is not specified")
    message_id = int(raw_id)
    text, entities = _text(call.params)
    markup = _markup(call.params)
    if not telegram.has(call.chat_id, message_id):
        raise bad_request("message to edit not found")
    content = (call.params["text"], call.params.get("reply_markup", ""))
    if telegram.is_same(call.chat_id, message_id, content):
        raise bad_request(
            "message is not modified: specified new message content and reply markup are exactly the same"
            " as a current content and reply markup of the message"
        )
    telegram.check(call.chat_id)
    telegram.keep(call.chat_id, message_id, content)
    done = _message(call, chat, message_id, text, entities, markup)
    done.result["edit_date"] = call.now_s
    telegram.show(call.chat_id, done.result)
    return done


def get_me(telegram: Telegram, call: Call) -> Done:
    me = bot_user(call.token) | {
        "can_join_groups": True,
        "can_read_all_group_messages": False,
        "supports_inline_queries": False,
        "can_connect_to_business": False,
        "has_main_web_app": False,
    }
    return Done(me, {})


def get_chat(telegram: Telegram, call: Call) -> Done:
    gifts = (
        "unlimited_gifts",
        "limited_gifts",
        "unique_gifts",
        "premium_subscription",
        "gifts_from_channels",
    )
    chat = chat_object(call.chat_id) | {
        "accent_color_id": 0,
        "max_reaction_count": 11,
        "accepted_gift_types": dict.fromkeys(gifts, True),
    }
    return Done(chat, {})


def set_webhook(telegram: Telegram, call: Call) -> Done:
    url = call.params.get("url", "")
    if not url:
        return delete_webhook(telegram, call)
    # http is what a local Bot API server allows: https://core.telegram.org/bots/api#using-a-local-bot-api-server
    if not url.startswith(("https://", "http://")):
        raise bad_request("bad webhook: An HTTPS URL must be provided for webhook")
    secret = call.params.get("secret_token", "")
    if secret and not _SECRET_TOKEN.fullmatch(secret):
        raise bad_request("secret token contains unallowed characters")
    updates = telegram.updates_of(call.token)
    _note_allowed(telegram, call)
    webhook = Webhook(url, secret, _whole(call.params, "max_connections", 40))
    updates.set_webhook(webhook, drop=_flag(call.params, "drop_pending_updates"))
    return Done(True, {"text": url}, "Webhook was set")


def delete_webhook(telegram: Telegram, call: Call) -> Done:
    updates = telegram.updates_of(call.token)
    known = updates.webhook is not None
    updates.set_webhook(None, drop=_flag(call.params, "drop_pending_updates"))
    return Done(True, {}, "Webhook was deleted" if known else "Webhook is already deleted")


def get_webhook_info(telegram: Telegram, call: Call) -> Done:
    return Done(telegram.updates_of(call.token).info(), {})


def get_updates(telegram: Telegram, call: Call) -> Done:
    """Check the call; `take_updates` then waits for its result."""
    if telegram.updates_of(call.token).webhook is not None:
        raise ApiError(
            409,
            "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the"
            " webhook first",
        )
    _note_allowed(telegram, call)
    return Done([], {})


async def take_updates(telegram: Telegram, call: Call) -> Done:
    """Return the updates of a call that `get_updates` has checked. Raises: `ApiError`."""
    limit = min(max(_whole(call.params, "limit", 100), 1), 100)
    timeout_s, offset = max(_whole(call.params, "timeout", 0), 0), _whole(call.params, "offset", 0)
    return Done(await telegram.updates_of(call.token).take(offset, limit=limit, timeout_s=timeout_s), {})


def answer_callback_query(telegram: Telegram, call: Call) -> Done:
    chat_id = telegram.queries.pop(call.params.get("callback_query_id", ""), None)
    if chat_id is None:
        raise bad_request("query is too old and response timeout expired or query ID is invalid")
    answer = {
        "callback_query_id": call.params["callback_query_id"],
        "text": call.params.get("text", ""),
        "show_alert": _flag(call.params, "show_alert"),
    }
    telegram.chat(chat_id).answers.append(answer)
    return Done(True, {"text": call.params.get("text")})


METHODS: dict[str, Callable[[Telegram, Call], Done]] = {
    "sendMessage": send_message,
    "editMessageText": edit_message_text,
    "getMe": get_me,
    "getChat": get_chat,
    "setWebhook": set_webhook,
    "deleteWebhook": delete_webhook,
    "getWebhookInfo": get_webhook_info,
    "getUpdates": get_updates,
    "answerCallbackQuery": answer_callback_query,
}


def _message(
    call: Call, chat: dict[str, Any], message_id: int, text: str, entities: list[Entity], markup: Any
) -> Done:
    message = {
        "message_id": message_id,
        "from": bot_user(call.token),
        "chat": chat,
        "date": call.now_s,
        "text": text,
    }
    if entities:
        message["entities"] = entities
    if markup and "inline_keyboard" in markup:
        message["reply_markup"] = markup
    preview = _json(call.params, "link_preview_options")
    if preview:
        message["link_preview_options"] = preview
    html = call.params["text"] if call.params.get("parse_mode") else None
    logged = {"text": text, "html": html, "message_id": message_id, "reply_markup": markup}
    return Done(message, logged | {"link_preview": preview})


def _text(params: dict[str, str]) -> tuple[str, list[Entity]]:
    source = params.get("text", "")
    mode = params.get("parse_mode", "").lower()
    text, entities = source, list[Entity]()
    if mode == "html":
        try:
            text, entities = parse_html(source)
        except CannotParse as problem:
            raise bad_request(f"can't parse entities: {problem}") from None
    elif mode:
        raise bad_request("unsupported parse_mode")
    trimmed = text.strip()
    if not trimmed:
        raise bad_request("message text is empty")
    if len(trimmed) > MAX_TEXT_UTF16 or utf16_length(trimmed) > MAX_TEXT_UTF16:
        raise bad_request("message is too long")
    if len(trimmed) != len(text) and entities:
        entities = _trim(entities, utf16_length(text) - utf16_length(text.lstrip()), utf16_length(trimmed))
    return trimmed, entities


def _trim(entities: list[Entity], lead: int, length: int) -> list[Entity]:
    """Shift the entities to their place after `lead` units are cut off and `length` are left."""
    moved = []
    for entity in entities:
        start = max(0, entity["offset"] - lead)
        end = min(length, entity["offset"] + entity["length"] - lead)
        if end > start:
            moved.append(entity | {"offset": start, "length": end - start})
    return moved


def _markup(params: dict[str, str]) -> Any:
    try:
        markup = _json(params, "reply_markup")
    except ApiError:
        raise bad_request("can't parse reply keyboard markup JSON object") from None
    if markup is not None and not isinstance(markup, dict):
        raise bad_request("object expected as reply markup")
    if markup and "inline_keyboard" in markup:
        check_keyboard(markup["inline_keyboard"])
    return markup


def _note_allowed(telegram: Telegram, call: Call) -> None:
    """Remember which updates the bot wants; without the parameter it stays as it was."""
    allowed = _json(call.params, "allowed_updates")
    if isinstance(allowed, list):
        telegram.updates_of(call.token).allowed = [str(kind) for kind in allowed]


def _flag(params: dict[str, str], name: str) -> bool:
    return params.get(name, "").lower() in {"true", "1", "yes"}


def _json(params: dict[str, str], name: str) -> Any:
    raw = params.get(name)
    if not raw:
        return None
    try:
        return json.loads(raw)
    except ValueError:
        raise bad_request(f"can't parse {name} JSON object") from None


def _whole(params: dict[str, str], name: str, default: int) -> int:
    raw = params.get(name, "")
    return int(raw) if _NUMBER.fullmatch(raw) else default
