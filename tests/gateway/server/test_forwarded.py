"""The client's address behind proxies: the one that the outermost of ours saw, whatever the client sent."""

from contextlib import suppress

import pytest
from websockets.exceptions import ConnectionClosed

from gateway.server.forwarded import client_behind
from tests.gateway.other_ends import Page
from tests.gateway.servers import running_server_of
from tests.kit.sign_in import token_for

PEER = ["10.0.0.9", 1234]
CASES = {
    "off by default": (0, ["1.2.3.4"], PEER),
    "one proxy, nothing made up": (1, ["192.0.2.1"], ["192.0.2.1", 0]),
    "one proxy, made up values before": (1, ["6.6.6.6, 7.7.7.7, 192.0.2.1"], ["192.0.2.1", 0]),
    "one proxy, made up in a line of its own": (1, ["6.6.6.6", "192.0.2.1"], ["192.0.2.1", 0]),
    "two proxies": (2, ["6.6.6.6, 192.0.2.1, 10.0.0.1"], ["192.0.2.1", 0]),
    "past the outer proxy": (2, ["192.0.2.1"], PEER),
    "no header": (1, [], PEER),
    "no address": (1, ["192.0.2.1, unknown"], PEER),
    "empty": (1, [""], PEER),
    "with a port": (1, ["192.0.2.1:4711"], ["192.0.2.1", 0]),
    "IPv6": (1, ["2001:db8::1"], ["2001:db8::1", 0]),
    "IPv6 with a port": (1, ["[2001:db8::1]:4711"], ["2001:db8::1", 0]),
    "not ASCII": (1, ["\xff"], PEER),
}


@pytest.mark.parametrize(("proxies", "lines", "client"), CASES.values(), ids=CASES)
def test_the_address_is_the_one_that_our_outermost_proxy_saw(
    proxies: int, lines: list[str], client: list[object]
) -> None:
    headers = [(b"x-forwarded-for", line.encode("latin-1")) for line in lines]
    assert client_behind(PEER, [(b"host", b"x"), *headers], proxies=proxies) == client


@pytest.mark.parametrize(("proxies", "refused"), [("0", True), ("1", False)])
def test_a_made_up_address_takes_no_places_of_others(
    tmp_path, ann, valkey, proxies: str, refused: bool
) -> None:
    valkey.flushdb()
    limits = {"TOCSIN_SOCKETS_PER_ADDRESS": "1", "TOCSIN_TRUSTED_PROXIES": proxies}
    with running_server_of(tmp_path / "log", **limits) as server:
        pages = [
            Page(
                f"{server.ws_url}/ws/native",
                ready=False,
                additional_headers={"X-Forwarded-For": f"192.0.2.{number}"},
            )
            for number in (1, 2)
        ]
        with suppress(ConnectionClosed):  # who is refused is told before
            pages[1].send(type="auth", token=token_for("ann"))
        assert (pages[1].receive()["type"] == "error") is refused
        for page in pages:
            page.close()
