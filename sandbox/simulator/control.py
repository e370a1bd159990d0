"""The simulator's control API under `/control`: faults, the log, and the person in a chat.

It has no login, so no web page may reach it: neither another site's, nor one whose name resolves to us (DNS
rebinding). A call must name an IP address or localhost as its host, and carry no browser's `Origin`.
"""

import ipaddress
import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from sandbox.simulator.connection import json_answer
from sandbox.simulator.faults import BadRule, Channel, Faults, is_channel
from sandbox.simulator.log import Log
from sandbox.simulator.telegram_chats import is_number
from sandbox.simulator.telegram_person import Person, act

_MAX_LIMIT = 10_000
_MAX_WAIT_S = 30
_DEFAULT_LIMIT = "1000"


class Control:
    def __init__(self, faults: Faults, log: Log, person: Person) -> None:
        self._faults = faults
        self._log = log
        self._person = person

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        if not _is_from_a_tool(request):
            return json_answer({"error": "not for web pages; call it by IP address or localhost"}, status=403)
        part, _, rest = request.path.removeprefix("/control/").partition("/")
        try:
            if part == "faults":
                return await self._on_faults(request, rest)
            if part == "log":
                return await self._on_log(request, rest)
            if part == "telegram":
                return await self._on_chat(request, rest)
        except BadRule as bad:
            return json_answer({"error": f"{bad.field}: {bad.problem}", "field": bad.field}, status=422)
        return _not_found(request)

    async def _on_faults(self, request: web.BaseRequest, name: str) -> web.StreamResponse:
        if not name:
            return self._on_all_faults(request)
        if not is_channel(name):
            return _not_found(request)
        match request.method:
            case "GET":
                pass
            case "PUT":
                self._faults.replace(name, await _read_object(request))
            case "POST":
                self._faults.add(name, await _read_object(request))
            case "DELETE":
                self._faults.reset(name)
            case _:
                return _not_allowed(request)
        return json_answer({name: self._faults.view()[name]})

    def _on_all_faults(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method not in ("GET", "DELETE"):
            return _not_allowed(request)
        if request.method == "DELETE":
            self._faults.reset()
        return json_answer(self._faults.view())

    async def _on_log(self, request: web.BaseRequest, rest: str) -> web.StreamResponse:
        if request.method == "GET" and rest == "":
            return await self._read_log(request.query)
        if request.method == "DELETE" and rest == "":
            self._log.clear()
            return json_answer({"ok": True})
        if request.method == "GET" and rest == "count":
            return self._count(request.query)
        return _not_found(request) if rest not in ("", "count") else _not_allowed(request)

    async def _on_chat(self, request: web.BaseRequest, rest: str) -> web.StreamResponse:
        """`GET chats/<id>` shows a chat, `POST chats/<id>/<act>` lets its person act."""
        chats, _, place = rest.partition("/")
        chat_id, _, what = place.partition("/")
        if chats != "chats" or not is_number(chat_id):
            return _not_found(request)
        if not what:
            return (
                json_answer(self._person.view(chat_id)) if request.method == "GET" else _not_allowed(request)
            )
        if request.method != "POST":
            return _not_allowed(request)
        body = await _read_object(request) if request.can_read_body else {}
        done = act(self._person, chat_id, what, body)
        return _not_found(request) if done is None else json_answer(done)

    async def _read_log(self, query: Mapping[str, str]) -> web.StreamResponse:
        _refuse_unknown(query, {"after", "newest", "limit", "channel", "kind", "wait_s"})
        page = await self._log.wait_for_page(
            self._after(query),
            limit=int(_number(query, "limit", _DEFAULT_LIMIT, low=1, high=_MAX_LIMIT)),
            channel=_channel(query),
            kind=query.get("kind"),
            wait_s=_number(query, "wait_s", "0", low=0, high=_MAX_WAIT_S),
        )
        return json_answer(page._asdict())

    def _after(self, query: Mapping[str, str]) -> int:
        """Return the number after which a page starts: `after`, or before the `newest` entries."""
        after = int(_number(query, "after", "0", low=0))
        if "newest" not in query:
            return after
        return max(after, self._log.last - int(_number(query, "newest", "0", low=1, high=_MAX_LIMIT)))

    def _count(self, query: Mapping[str, str]) -> web.StreamResponse:
        _refuse_unknown(query, {"channel", "kind"})
        channels = self._log.counts(_channel(query), query.get("kind"))
        kinds = [outcomes for by_kind in channels.values() for outcomes in by_kind.values()]
        accepted = sum(outcomes.get("accepted", 0) for outcomes in kinds)
        return json_answer({"accepted": accepted, "channels": channels})


def _is_from_a_tool(request: web.BaseRequest) -> bool:
    if "Origin" in request.headers or request.headers.get("Sec-Fetch-Site", "none") != "none":
        return False
    host = request.headers.get("Host", "")
    name = host.rpartition(":")[0] if ":" in host.rpartition("]")[2] else host
    try:
        return name == "localhost" or bool(ipaddress.ip_address(name.strip("[]")))
    except ValueError:
        return False


async def _read_object(request: web.BaseRequest) -> dict[str, Any]:
    try:
        body = json.loads(await request.read())
    except ValueError:
        raise BadRule("body", "must be JSON") from None
    if not isinstance(body, dict):
        raise BadRule("body", "must be a JSON object")
    return body


def _refuse_unknown(query: Mapping[str, str], known: set[str]) -> None:
    for name in query:
        if name not in known:
            raise BadRule(name, f"unknown parameter; known: {', '.join(sorted(known))}")


def _channel(query: Mapping[str, str]) -> Channel | None:
    name = query.get("channel")
    if name is None or is_channel(name):
        return name
    raise BadRule("channel", "must be telegram, smtp or sink")


def _number(query: Mapping[str, str], name: str, default: str, *, low: int, high: int = 2**63) -> float:
    try:
        value = float(query.get(name, default))
    except ValueError:
        raise BadRule(name, "must be a number") from None
    if not low <= value <= high:
        raise BadRule(name, f"must be from {low} to {high}")
    return value


def _not_found(request: web.BaseRequest) -> web.StreamResponse:
    return json_answer({"error": f"nothing lives at {request.path}"}, status=404)


def _not_allowed(request: web.BaseRequest) -> web.StreamResponse:
    return json_answer({"error": f"{request.method} is not for {request.path}"}, status=405)
