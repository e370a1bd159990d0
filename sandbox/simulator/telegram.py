"""The HTTP side of the Bot API: reads a call, applies a fault rule, runs the method, logs, answers."""

import asyncio
import json
import re
import time
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from sandbox.simulator.connection import cut, json_answer, never, reset
from sandbox.simulator.faults import Faults, Rule
from sandbox.simulator.log import Log, Outcome
from sandbox.simulator.telegram_call import ApiError, Call, Done
from sandbox.simulator.telegram_chats import SUPERGROUP_BASE, is_number, is_supergroup
from sandbox.simulator.telegram_limits import Limits
from sandbox.simulator.telegram_memory import Telegram
from sandbox.simulator.telegram_methods import METHODS, take_updates

_TOKEN = re.compile(r"[0-9]{1,19}:\S+")
_NAMES = {name.lower(): name for name in METHODS}  # the real API ignores case here
_UNKNOWN = "unknown"  # name in the log of a method that does not exist or is unreadable
_ERRORS = {
    "chat_not_found": (400, "Bad Request: chat not found"),
    "blocked": (403, "Forbidden: bot was blocked by the user"),
    "deactivated": (403, "Forbidden: user is deactivated"),
    "write_forbidden": (400, "Bad Request: CHAT_WRITE_FORBIDDEN"),
    "not_admin": (400, "Bad Request: need administrator rights in the channel chat"),
    "cant_parse": (
        400,
        "Bad Request: can't parse entities: Can't find end tag corresponding to start tag \"b\"",
    ),
    "too_long": (400, "Bad Request: message is too long"),
    "unauthorized": (401, "Unauthorized"),
}

_PROXY_PAGE = b"<!doctype html><title>Blocked</title><h1>chat not found: this site is blocked</h1>"


class TelegramApi:
    def __init__(self, faults: Faults, log: Log, telegram: Telegram) -> None:
        self._faults = faults
        self._log = log
        self._telegram = telegram
        self._limits = Limits()

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Decide and log the call at once; a rule's latency delays only the answer."""
        try:
            call = await read_call(request)
        except ApiError as refusal:
            self._log.append(
                "telegram", _UNKNOWN, "", "refused", status=refusal.status, error=refusal.description
            )
            return _refuse(refusal)
        rule = self._faults.pick("telegram", call.method, (call.chat_id,))
        if rule is not None and (rule.refuse or rule.hang):
            return await self._break_off(request, call, rule)
        if rule is not None and rule.page:
            status = rule.status or 403
            self._note(call, "refused", status=status, text=call.params.get("text"), fault=rule.spec)
            return web.Response(body=_PROXY_PAGE, status=status, content_type="text/html")
        try:
            done = self._run(call, rule)
            if call.method == "getUpdates":
                done = await take_updates(self._telegram, call)
        except ApiError as refusal:
            self._note_refused(call, refusal, rule)
            answer = _refuse(refusal)
        else:
            self._note_done(call, done, rule)
            answer = _succeed(done)
        if rule is None:
            return answer
        await asyncio.sleep(rule.latency_ms / 1000)
        return cut(request) if rule.drop_answer else answer

    def _run(self, call: Call, rule: Rule | None) -> Done:
        """Run the method, after everything that may refuse the call."""
        self._telegram.last_token = call.token
        if rule is not None:
            _strike(call, rule)
            if rule.limits:
                self._limit(call)
        method = METHODS.get(call.method)
        if method is None:
            raise ApiError(404, "Not Found")
        return method(self._telegram, call)

    def _limit(self, call: Call) -> None:
        too_many = self._limits.take(call.chat_id, time.monotonic())
        if too_many is not None:
            raise _too_many(too_many.retry_after_s, early=too_many.early)

    async def _break_off(self, request: web.BaseRequest, call: Call, rule: Rule) -> web.StreamResponse:
        if rule.refuse:
            self._note(call, "refused", fault=rule.spec)
            await asyncio.sleep(rule.latency_ms / 1000)
            return reset(request)
        self._note(call, "hung", fault=rule.spec, text=call.params.get("text"))
        await never()

    def _note_refused(self, call: Call, refusal: ApiError, rule: Rule | None) -> None:
        answered = rule is None or not rule.drop_answer
        self._note(
            call,
            "refused",
            status=refusal.status if answered else None,
            error=refusal.description,
            text=call.params.get("text"),
            early=refusal.early or None,
            fault=rule.spec if rule else None,
        )

    def _note_done(self, call: Call, done: Done, rule: Rule | None) -> None:
        if rule is None:
            if call.method != "getUpdates":  # an idle poll is no information
                self._note(call, "accepted", status=200, **done.logged)
        elif rule.drop_answer:
            self._note(call, "dropped_answer", fault=rule.spec, **done.logged)
        else:
            self._note(call, "accepted", status=200, fault=rule.spec, **done.logged)

    def _note(self, call: Call, outcome: Outcome, **fields: Any) -> None:
        kind = call.method if call.method in METHODS else _UNKNOWN
        self._log.append("telegram", kind, call.chat_id, outcome, **fields)


async def read_call(request: web.BaseRequest) -> Call:
    """Read token, method and parameters. Raises: ApiError (token, body)."""
    token, _, method = request.path.removeprefix("/bot").partition("/")
    if not _TOKEN.fullmatch(token):
        raise ApiError(401, "Unauthorized")
    return Call(token, _NAMES.get(method.lower(), method), await _read_params(request), int(time.time()))


async def _read_params(request: web.BaseRequest) -> dict[str, str]:
    params: dict[str, str] = dict(request.query) if request.query_string else {}
    try:
        match request.content_type if request.can_read_body else "":
            case "application/x-www-form-urlencoded":
                body = (await request.read()).decode()
                params |= parse_qsl(body, keep_blank_values=True, errors="strict")
            case "application/json":
                params |= _from_json(await request.read())
            case "multipart/form-data":
                form = await request.post()
                params |= {name: value for name, value in form.items() if isinstance(value, str)}
    except UnicodeDecodeError:
        raise ApiError(400, "Bad Request: strings must be encoded in UTF-8") from None
    except (TypeError, ValueError):
        raise ApiError(400, "Bad Request: can't parse the request body") from None
    return params


def _from_json(body: bytes) -> dict[str, str]:
    fields = json.loads(body)
    if not isinstance(fields, dict):
        raise TypeError("not an object")
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in fields.items()}


def _strike(call: Call, rule: Rule) -> None:
    """Raise the error of the rule, if it has one. Raises: ApiError."""
    if rule.retry_after_s is not None:
        raise _too_many(rule.retry_after_s, status=rule.status or 429)
    if rule.status is not None:
        raise ApiError(rule.status, _phrase(rule.status))
    if rule.error == "migrated":
        _migrate(call.chat_id)
    elif rule.error is not None:
        raise ApiError(*_ERRORS[rule.error])


def _too_many(retry_after_s: int, *, status: int = 429, early: bool = False) -> ApiError:
    description = f"Too Many Requests: retry after {retry_after_s}"
    return ApiError(status, description, {"retry_after": retry_after_s}, early=early)


def _migrate(chat_id: str) -> None:
    """Raise the error that names a supergroup derived from the same number, unless it is a supergroup."""
    if not is_number(chat_id) or is_supergroup(chat_id):
        return
    new_id = SUPERGROUP_BASE - abs(int(chat_id))
    description = "Bad Request: group chat was upgraded to a supergroup chat"
    raise ApiError(400, description, {"migrate_to_chat_id": new_id})


def _succeed(done: Done) -> web.StreamResponse:
    body = {"ok": True, "result": done.result}
    if done.description is not None:
        body["description"] = done.description
    return json_answer(body)


def _refuse(refusal: ApiError) -> web.StreamResponse:
    body: dict[str, Any] = {
        "ok": False,
        "error_code": refusal.status,
        "description": refusal.description,
    }
    headers = {}
    if refusal.parameters is not None:
        body["parameters"] = refusal.parameters
        if "retry_after" in refusal.parameters:
            headers["Retry-After"] = str(refusal.parameters["retry_after"])
    return json_answer(body, status=refusal.status, headers=headers)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown Error"
