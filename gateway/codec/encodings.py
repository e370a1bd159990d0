"""Bodies that come compressed: gzip, and no more than a plain body might have."""

import zlib

from gateway.codec.limits import InvalidEvent

_GZIP = 16 + zlib.MAX_WBITS


def decoded(body: bytes, encoding: str, *, longest: int) -> bytes:
    """Return the plain body. Raises: `InvalidEvent`; a bomb is unpacked up to the limit only."""
    match encoding.strip().lower():
        case "" | "identity":
            return body
        case "gzip" | "x-gzip":
            return _gunzipped(body, longest)
    detail = "Send the body as it is, or with Content-Encoding: gzip."
    raise InvalidEvent("unsupported_content_encoding", detail)


def _gunzipped(body: bytes, longest: int) -> bytes:
    plain = b""
    while body:  # a body may be several members
        member = zlib.decompressobj(_GZIP)
        try:
            plain += member.decompress(body, longest + 1 - len(plain))
        except zlib.error as error:
            raise InvalidEvent("invalid_gzip", "Send a valid gzip body.") from error
        if len(plain) > longest:
            raise InvalidEvent("too_large", f"At most {longest} bytes, unpacked.")
        if not member.eof:
            raise InvalidEvent("invalid_gzip", "The gzip body ends too early.")
        body = member.unused_data
    return plain
