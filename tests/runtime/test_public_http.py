"""Where a URL that somebody else names may lead."""

import ipaddress

import pytest

from runtime import public_http
from runtime.public_http import NotPublic


@pytest.mark.parametrize(
    "url",
    [
        *("", "hooks.example.com", "ftp://example.com/", "http://example.com/", "https://example.com:8443/"),
        *("https://user@example.com/", "https://example.com/#part", "https://localhost/", "https://[::1/"),
        *("https://127.0.0.1/", "https://127.1/", "https://0x7f000001/", "https://2130706433/"),
        *("https://10.0.0.7/", "https://100.64.0.1/", "https://169.254.169.254/", "https://0.0.0.0/"),
        *("https://[::1]/", "https://[fe80::1]/", "https://[::ffff:10.0.0.7]/", "https://[64:ff9b::a00:7]/"),
        *("https://[2002:a00:7::]/", "https://224.0.0.1/", "https://example.com:99999/"),
    ],
)
def test_it_leads_to_no_private_place(url: str) -> None:
    with pytest.raises(NotPublic):
        public_http.check_url(url)


@pytest.mark.parametrize(
    "url", ["https://hooks.example.com/acks?a=1", "https://1.1.1.1:443/", "https://[2606:4700::1]/"]
)
def test_it_leads_to_public_hosts(url: str) -> None:
    public_http.check_url(url)


def test_a_private_host_is_named_with_its_port() -> None:
    public_http.check_url("http://10.0.0.7:8080/acks", private_hosts=["10.0.0.7:8080"])
    with pytest.raises(NotPublic):
        public_http.check_url("http://10.0.0.7:8081/acks", private_hosts=["10.0.0.7:8080"])


async def test_a_name_that_resolves_to_this_host_is_refused() -> None:
    resolver = public_http._PublicResolver()
    with pytest.raises(NotPublic):
        await resolver.resolve("localhost", 443)


def test_an_address_within_another_one_is_looked_at() -> None:
    assert public_http.is_global(ipaddress.ip_address("::ffff:1.1.1.1"))
    assert not public_http.is_global(ipaddress.ip_address("64:ff9b::127.0.0.1"))
