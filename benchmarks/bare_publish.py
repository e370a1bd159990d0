"""The peer of `publish.py`: an ASGI application that takes the body and says that it was accepted."""

from typing import Any

_ANSWER = b'{"status": "QUEUED"}'
_START = {
    "type": "http.response.start",
    "status": 202,
    "headers": [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(_ANSWER))],
}


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer a request; nothing is read, stored or checked."""
    while (await receive()).get("more_body"):
        pass
    await send(_START)
    await send({"type": "http.response.body", "body": _ANSWER})
