"""Over HTTP: batches to `POST /api/v1/events/batch`, on one connection that is kept.

It needs nothing but Python. A QUEUED event is sent again to learn its end: the answer to a duplicate is the
stored result, and a key that may publish is enough for it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, List
from urllib.parse import quote

from tocsin.acks import LATER_S, Ack, from_json, refusal
from tocsin.errors import Refused, TransportError
from tocsin.transports.base import Answer, Finding, Later, Options, Outgoing, Transport
from tocsin.transports.connection import Connection, Response

EVENTS = "/api/v1/events"
BATCH = f"{EVENTS}/batch"
_ONE_OF_THEM = frozenset({413, 422})  # of a batch: one event spoils it
_NOT_US = frozenset({408, 425, 429})


class HttpTransport(Transport):
    """`http://host:port` or `https://…`, with a key that may publish."""

    ask_after_s = (0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0)

    def __init__(self, url: str, options: Options) -> None:
        super().__init__(url, options)
        if not options.key:
            raise ValueError("Publishing over HTTP needs key=…, a key of your source (tsn_…).")
        self._connection = Connection(url, timeout_s=options.timeout_s)
        self._headers = {"Authorization": f"Bearer {options.key}", "Content-Type": "application/json"}

    def send(self, events: Sequence[Outgoing]) -> Sequence[Answer]:
        body = '{"events":[' + ",".join(event.body for event in events) + "]}"
        response = self._connection.request("POST", BATCH, body.encode(), self._headers)
        if response.status in _ONE_OF_THEM:
            return self._apart(events, response)
        if response.status != 200:
            raise _error(response)
        return _answers(events, response)

    def _apart(self, events: Sequence[Outgoing], response: Response) -> List[Answer]:
        """Send the halves of a batch that was refused as a whole; a single event is what was wrong."""
        if len(events) == 1:
            problem = _problem(response)
            code, detail = problem.get("code") or f"http_{response.status}", problem.get("detail") or ""
            return [refusal(events[0].event_id, str(code), str(detail), at_ms=int(time.time() * 1000))]
        middle = len(events) // 2
        return [*self.send(events[:middle]), *self.send(events[middle:])]

    def story(self, event_id: str, *, wait_s: float = 0.0) -> Mapping[str, Any]:
        """Return `GET /event`, with a key that may read. Raises: `TransportError`."""
        path = f"/api/v1/event?event_id={quote(event_id, safe='')}&wait={wait_s:g}"
        return self._asked(path)

    def counts(self) -> Mapping[str, Any]:
        """Return `GET /events/stats`, with a key that may read. Raises: `TransportError`."""
        return self._asked(f"{EVENTS}/stats")

    def _asked(self, path: str) -> Mapping[str, Any]:
        response = self._connection.request("GET", path, b"", self._headers)
        if response.status != 200:
            raise _error(response)
        found: Mapping[str, Any] = response.json()
        return found

    def diagnose(self) -> Iterator[Finding]:
        from tocsin.transports.http_checks import findings

        return findings(self._connection, self._headers)

    def close(self) -> None:
        self._connection.close()


def _answers(events: Sequence[Outgoing], response: Response) -> List[Answer]:
    """Return the answers of a 200. Raises: `TransportError` if it is not that of the service."""
    try:
        acks = [from_json(one) for one in response.json()["acks"]]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise TransportError("garbled", "the answer is not that of Tocsin: is a proxy between?") from error
    if len(acks) != len(events):
        raise TransportError("garbled", f"{len(acks)} acks for {len(events)} events")
    return [_answer(event, ack, response) for event, ack in zip(events, acks)]


def _answer(event: Outgoing, ack: Ack, response: Response) -> Answer:
    if ack.asks_again:
        return Later(ack.code, response.retry_after_s or LATER_S)
    if ack.event_id and ack.event_id != event.event_id:
        raise TransportError("garbled", "an ack is of another event")
    # An event whose id could not be read is answered without one.
    return ack if ack.event_id else refusal(event.event_id, ack.code, ack.detail, at_ms=ack.at)


def _error(response: Response) -> TransportError:
    problem = _problem(response)
    code = str(problem.get("code") or f"http_{response.status}")
    detail = str(problem.get("detail") or f"answered with {response.status}")
    if response.status >= 500 or response.status in _NOT_US:
        return TransportError(code, detail, retry_after_s=response.retry_after_s)
    return Refused(code, detail, retry_after_s=response.retry_after_s)


def _problem(response: Response) -> Mapping[str, Any]:
    try:
        found = response.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
