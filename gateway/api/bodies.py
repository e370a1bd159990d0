"""The bodies of calls that speak only JSON."""

from typing import Any

from django.http import HttpRequest

from gateway.codec import limits
from gateway.codec.encodings import decoded
from gateway.codec.limits import InvalidEvent


def json_body(request: HttpRequest, *, longest: int = limits.EVENT_BYTES) -> dict[str, Any]:
    """Return the object in the body, which has at most `longest` bytes. Raises: `InvalidEvent`."""
    if request.content_type != "application/json":
        raise InvalidEvent("unsupported_media_type", "Send application/json.")
    declared = int(request.headers.get("Content-Length") or 0)
    if declared > longest or len(request.body) > longest:
        raise InvalidEvent("too_large", f"At most {longest} bytes.")
    encoding = request.headers.get("Content-Encoding", "")
    body = limits.parse_json(decoded(request.body, encoding, longest=longest), "")
    if not isinstance(body, dict):
        raise InvalidEvent("not_an_object", "Send a JSON object.")
    return body
