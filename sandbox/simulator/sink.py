"""A generic HTTP receiver at `/sink/<name>`: logs the request and answers `{"ok": true}`."""

import asyncio
import base64
from http import HTTPStatus
from typing import Any

from aiohttp import web

from sandbox.simulator.connection import cut, json_answer, never, reset
from sandbox.simulator.faults import Faults, Rule
from sandbox.simulator.log import Log, Outcome

_PREFIX = "/sink/"


class Sink:
    def __init__(self, faults: Faults, log: Log) -> None:
        self._faults = faults
        self._log = log

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Handle the request by the current rule; the entry is logged before the answer."""
        name = request.path.removeprefix(_PREFIX)
        rule = self._faults.pick("sink", request.method, (name,))
        if rule is None:
            self._note(name, request, "accepted", status=200, **body_fields(await request.read()))
            return json_answer({"ok": True})
        return await self._struck(name, request, rule)

    async def _struck(self, name: str, request: web.BaseRequest, rule: Rule) -> web.StreamResponse:
        if rule.refuse:
            self._note(name, request, "refused", fault=rule.spec)
            await asyncio.sleep(rule.latency_ms / 1000)
            return reset(request)
        body = body_fields(await request.read())
        if rule.hang:
            self._note(name, request, "hung", fault=rule.spec, **body)
            await never()
        status = rule.status or (200 if rule.retry_after_s is None else 429)
        outcome = _outcome(status, rule)
        shown = None if rule.drop_answer else status
        self._note(name, request, outcome, status=shown, fault=rule.spec, **body)
        await asyncio.sleep(rule.latency_ms / 1000)
        return cut(request) if rule.drop_answer else _answer(status, rule.retry_after_s)

    def _note(self, name: str, request: web.BaseRequest, outcome: Outcome, **fields: Any) -> None:
        headers = dict(request.headers)
        query = request.query_string
        self._log.append("sink", request.method, name, outcome, headers=headers, query=query, **fields)


def body_fields(body: bytes) -> dict[str, str]:
    """Return a body as `text`, or as `body_base64` if it is not UTF-8."""
    try:
        return {"text": body.decode()}
    except UnicodeDecodeError:
        return {"body_base64": base64.b64encode(body).decode()}


def _outcome(status: int, rule: Rule) -> Outcome:
    if not 200 <= status < 300:
        return "refused"
    return "dropped_answer" if rule.drop_answer else "accepted"


def _answer(status: int, retry_after_s: int | None) -> web.StreamResponse:
    headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
    if 200 <= status < 300:
        return json_answer({"ok": True}, status=status, headers=headers)
    return json_answer({"ok": False, "error": _phrase(status)}, status=status, headers=headers)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
