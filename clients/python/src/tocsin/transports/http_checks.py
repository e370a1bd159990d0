"""What `tocsin doctor` looks at over HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime

from tocsin.errors import TransportError
from tocsin.transports.base import Finding
from tocsin.transports.connection import Connection, Response

_CLOCKS_DIFFER_S = 300.0  # an event from further ahead is refused
_CLOCKS_AGREE_S = 5.0


def findings(connection: Connection, headers: Mapping[str, str]) -> Iterator[Finding]:
    """Look at the way to the service, its readiness, the clock and the key."""
    try:
        ready = connection.request("GET", "/readyz", b"", {})
    except TransportError as error:
        yield Finding("service", False, f"{error}. Is the URL right, and is the service running?")
        return
    yield _readiness(ready)
    yield _clock(ready)
    try:
        yield _key(connection.request("POST", "/api/v1/events/batch", b'{"events":[]}', headers))
    except TransportError as error:
        yield Finding("key", False, str(error))


def _readiness(ready: Response) -> Finding:
    if ready.status == 200:
        status = _json(ready).get("status", "ok")
        return Finding("service", True if status == "ok" else None, f"answers, and is {status}")
    return Finding("service", False, f"/readyz answers {ready.status}: it takes no events now")


def _clock(ready: Response) -> Finding:
    try:
        ahead_s = time.time() - parsedate_to_datetime(ready.headers.get("date", "")).timestamp()
    except (TypeError, ValueError):
        return Finding("clock", None, "the service does not tell the time")
    detail = f"{abs(ahead_s):.0f} s {'ahead of' if ahead_s > 0 else 'behind'} the service's"
    if abs(ahead_s) <= _CLOCKS_AGREE_S:
        return Finding("clock", True, "agrees with the service's")
    return Finding("clock", None if ahead_s < _CLOCKS_DIFFER_S else False, f"{detail}: synchronize it")


def _key(answer: Response) -> Finding:
    if answer.status == 200:
        return Finding("key", True, "may publish")
    problem = _json(answer)
    code = problem.get("code", f"http_{answer.status}")
    return Finding("key", False, f"{code}: {problem.get('detail', '')}")


def _json(answer: Response) -> Mapping[str, str]:
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
