"""Which URLs of a producer may become links."""

import pytest
from django.core.exceptions import ValidationError

from notifications.rendering.links import UnsafeLink, safe_url
from users.link_hosts import validate_link_host

HOSTS = ("docs.example.com", "*.example.net", "grafana.example.org:3000", "xn--bcher-kva.example")


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://docs.example.com", "https://docs.example.com/"),
        ("https://docs.example.com/a/b?c=d&e=f#g", "https://docs.example.com/a/b?c=d&e=f#g"),
        ("HTTPS://Docs.Example.COM:443/A", "https://docs.example.com/A"),
        ("https://docs.example.com?q=1", "https://docs.example.com?q=1"),
        ("https://docs.example.com/straße?ü=ö", "https://docs.example.com/stra%C3%9Fe?%C3%BC=%C3%B6"),
        ('https://docs.example.com/"><script>', "https://docs.example.com/%22%3E%3Cscript%3E"),
        ("https://docs.example.com/50%25", "https://docs.example.com/50%25"),
        ("https://docs.example.com/a@b:c", "https://docs.example.com/a@b:c"),
        ("https://a.example.net/", "https://a.example.net/"),
        ("https://a.b.example.net/", "https://a.b.example.net/"),
        ("https://grafana.example.org:3000/d/1", "https://grafana.example.org:3000/d/1"),
        ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example/"),
    ],
)
def test_an_https_url_on_the_list_is_a_link(url: str, safe: str) -> None:
    assert safe_url(url, HOSTS) == safe


@pytest.mark.parametrize(
    "url",
    [
        "",
        "docs.example.com",
        "//docs.example.com/",
        "/path",
        "http://docs.example.com/",
        "javascript:alert(1)",
        "java\nscript:alert(1)",
        "javascript://docs.example.com/%0aalert(1)",
        "data:text/html;base64,PHNjcmlwdD4=",
        "vbscript:x",
        "file:///etc/passwd",
        "ftp://docs.example.com/",
        "tg://user?id=1",
        "https:docs.example.com",
        "https:/docs.example.com",
        "https:///docs.example.com",
        "https://docs.example.com@evil.example/",
        "https://user:password@docs.example.com/",
        "https://docs.example.com\\@evil.example/",
        "https:\\\\docs.example.com/",
        "https://docs.example.com/\\..\\",
        "https://evil.example/",
        "https://evil.example/docs.example.com",
        "https://evil.example#docs.example.com",
        "https://docs.example.com.evil.example/",
        "https://evildocs.example.com/",
        "https://example.net/",
        "https://evilexample.net/",
        "https://docs.example.com./",
        "https://docs..example.com/",
        "https://.example.net/",
        "https://docs.example.com:8443/",
        "https://docs.example.com:/",
        "https://docs.example.com:443443/",
        "https://grafana.example.org/",
        "https://dоcs.example.com/",  # a Cyrillic o
        "https://bücher.example/",
        "https://docs.example。com/",
        "https://ｄocs.example.com/",
        "https://docs.example.com%2eevil.example/",
        "https://%64ocs.example.com/",
        "https://[::1]/",
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://docs.example.com/a b",
        "https://docs.example.com/\u202egpj.exe",
        "https://docs.example.com/\u200b",
        "https://docs.example.com/\x00",
        "https://docs.example.com/\x7f",
        "https://docs.example.com/\t",
        "\x01https://docs.example.com/",
        "https://docs.example.com/" + "a" * 2_048,
        "https://docs.example.com/" + "ü" * 700,
    ],
)
def test_every_other_url_is_refused_with_a_reason(url: str) -> None:
    with pytest.raises(UnsafeLink) as refused:
        safe_url(url, HOSTS)

    assert refused.value.reason
    assert "\n" not in refused.value.reason


def test_without_hosts_there_are_no_links() -> None:
    with pytest.raises(UnsafeLink, match=r"docs\.example\.com is not among the link hosts of the source"):
        safe_url("https://docs.example.com/", ())


@pytest.mark.parametrize("entry", [*HOSTS, "a-b.example", "*.a.b.example:8443", "4.example.x2"])
def test_a_host_may_be_put_on_the_list(entry: str) -> None:
    validate_link_host(entry)


NO_HOSTS = ["", "*", "*.", "*.com", "com", "localhost", "https://a.example", "a.example/", "A.example"]
NO_HOSTS += [
    "a.*.example",
    "a.example:0",
    "a.example:",
    "10.0.0.1",
    "*.0.0.1",
    "bücher.example",
    "a..example",
]
NO_HOSTS += ["-a.example", " a.example", "a.example\n", "a@b.example", f"{'a' * 64}.example"]
NO_HOSTS += [".".join(["a" * 60] * 5)]


@pytest.mark.parametrize("entry", NO_HOSTS)
def test_nothing_else_may_be_put_on_the_list(entry: str) -> None:
    with pytest.raises(ValidationError):
        validate_link_host(entry)
