"""The bodies of calls that speak only JSON."""

from typing import Any

from django.http import HttpRequest

from gateway.codec import limits
from gateway.codec.encodings import decoded
from gateway.codec.limits import InvalidEvent


def json_body(request: HttpRequest) -> dict[str, Any]:
    """Return the object in the body. Raises: `InvalidEvent`."""
    if request.content_type != "application/json":
        raise InvalidEvent("unsupported_media_type", "Send application/json.")
    declared = int(request.headers.get("Content-Length") or 0)
    if declared > limits.EVENT_BYTES or len(request.body) > limits.EVENT_BYTES:
        raise InvalidEvent("too_large", f"At most {limits.EVENT_BYTES} bytes.")
    encoding = request.headers.get("Content-Encoding", "")
    body = limits.parse_json(decoded(request.body, encoding, longest=limits.EVENT_BYTES), "")
    if not isinstance(body, dict):
        raise InvalidEvent("not_an_object", "Send a JSON object.")
    return body
