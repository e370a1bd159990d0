"""Which pages may open a socket: those of this very server, and the trusted ones."""

import pytest

from gateway.sockets.origin import origin_allowed, session_allowed

TRUSTED = ["https://app.example.com:8443", "https://*.partner.example"]
PROXY = ("HTTP_X_FORWARDED_PROTO", "https")


@pytest.fixture(autouse=True)
def hosts(settings) -> None:
    settings.ALLOWED_HOSTS = ["tocsin.example", "127.0.0.1", "[::1]"]
    settings.CSRF_TRUSTED_ORIGINS = TRUSTED
    settings.CORS_ALLOWED_ORIGINS = ["https://shop.example", "https://desk.shop.example:8443"]
    settings.SECURE_PROXY_SSL_HEADER = None


def allowed(origin: str | None, host: str = "tocsin.example", scheme: str = "wss", **more: str) -> bool:
    headers = {"host": host} | ({} if origin is None else {"origin": origin})
    headers |= {name.replace("_", "-"): value for name, value in more.items()}
    return origin_allowed(scope_of(headers, scheme))


def scope_of(headers: dict[str, str], scheme: str = "wss") -> dict:
    pairs = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    return {"headers": pairs, "scheme": scheme}


@pytest.mark.parametrize(
    ("origin", "host", "scheme"),
    [
        ("https://tocsin.example", "tocsin.example", "wss"),
        ("https://TOCSIN.example", "Tocsin.Example", "wss"),
        ("http://127.0.0.1:8000", "127.0.0.1:8000", "ws"),
        ("http://[::1]:8000", "[::1]:8000", "ws"),
        ("https://app.example.com:8443", "tocsin.example", "wss"),
        ("https://desk.partner.example", "tocsin.example", "wss"),
        ("https://shop.example", "tocsin.example", "wss"),
        ("https://desk.shop.example:8443", "tocsin.example", "wss"),
    ],
)
def test_pages_of_this_server_and_trusted_ones_get_in(origin, host, scheme) -> None:
    assert allowed(origin, host, scheme)


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "null",
        "http://tocsin.example",
        "https://tocsin.example:8443",
        "https://127.0.0.1",
        "https://evil.example",
        "https://tocsin.example.evil.example",
        "https://tocsin.example/",
        "https://x@tocsin.example",
        "http://app.example.com:8443",
        "https://app.example.com",
        "http://desk.partner.example",
        "https://desk.partner.example:444",
        "http://shop.example",
        "https://shop.example:8443",
        "https://www.shop.example",
        "https://desk.shop.example",
        "https://evilpartner.example",
        "http://[",
        "tocsin.example",
    ],
)
def test_another_scheme_host_or_port_does_not_get_in(origin) -> None:
    assert not allowed(origin)


def test_a_client_without_an_origin_is_no_page_and_may_not_use_a_cookie() -> None:
    assert allowed(None)
    assert not session_allowed(scope_of({"host": "tocsin.example"}))


def test_a_host_that_is_not_ours_vouches_for_nobody() -> None:
    assert not allowed("https://evil.example", "evil.example")


@pytest.mark.parametrize(("forwarded", "expected"), [("https", True), ("http", False), ("https, http", True)])
def test_a_trusted_proxy_says_where_tls_ended(settings, forwarded, expected) -> None:
    settings.SECURE_PROXY_SSL_HEADER = PROXY
    assert allowed("https://tocsin.example", scheme="ws", x_forwarded_proto=forwarded) is expected
    settings.SECURE_PROXY_SSL_HEADER = None
    assert not allowed("https://tocsin.example", scheme="ws", x_forwarded_proto=forwarded)


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ("https://tocsin.example", True),
        ("https://desk.partner.example", True),
        ("https://shop.example", False),
    ],
)
def test_a_page_that_may_use_tokens_may_not_use_the_cookie(origin: str, expected: bool) -> None:
    assert session_allowed(scope_of({"host": "tocsin.example", "origin": origin})) is expected
