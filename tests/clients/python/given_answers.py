"""A real HTTP server that answers as it is told: one answer after the other, the last one for ever."""

import contextlib
import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[[list[dict]], tuple[int, dict[str, str], bytes]]


def ack(event: dict, status: str = "QUEUED", **more: Any) -> dict:
    fields = {"event_id": event["event_id"], "status": status, "final": status != "QUEUED", "at": 1, "seq": 1}
    return fields | more


def acks(status: str = "QUEUED", *, retry_after: str = "", **more: Any) -> Answer:
    """Answer 200 with the same ack for each event."""

    def answer(events: list[dict]) -> tuple[int, dict[str, str], bytes]:
        headers = {"Retry-After": retry_after} if retry_after else {}
        return 200, headers, json.dumps({"acks": [ack(one, status, **more) for one in events]}).encode()

    return answer


def problem(status: int, code: str, **headers: str) -> Answer:
    body = json.dumps({"code": code, "detail": f"as {code}", "status": status}).encode()
    return lambda _: (status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


def silence(seconds: float) -> Answer:
    """Take the request, and answer too late."""

    def answer(events: list[dict]) -> tuple[int, dict[str, str], bytes]:
        time.sleep(seconds)
        return acks()(events)

    return answer


def cut(_: list[dict]) -> tuple[int, dict[str, str], bytes]:
    """End the connection instead of answering."""
    return 0, {}, b""


class GivenAnswers:
    """`answers` is what is to come; `batches` what came, and `at` when."""

    def __init__(self) -> None:
        self.answers: list[Answer] = [acks("DELIVERED", delivered_via="WEB", evidence="CLIENT")]
        self.batches: list[list[dict]] = []
        self.at: list[float] = []
        self.headers: list[dict[str, str]] = []
        self._lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                server._post(self)

            def log_message(self, *_: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    @property
    def ids(self) -> list[str]:
        return [event["event_id"] for batch in self.batches for event in batch]

    def _post(self, request: BaseHTTPRequestHandler) -> None:
        events = json.loads(request.rfile.read(int(request.headers["Content-Length"])))["events"]
        with self._lock:
            self.batches.append(events)
            self.at.append(time.monotonic())
            self.headers.append(dict(request.headers))
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        status, headers, body = answer(events)
        if not status:
            request.close_connection = True
            return
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        with contextlib.suppress(OSError):  # the client did not wait for it
            request.wfile.write(body)

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
