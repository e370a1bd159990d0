"""How many sockets there may be: of a person, from an address, without a sign-in, and what a crash leaves."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from gateway.presence.addresses import address_of
from notifications.live import pubsub
from sandbox.system.start import free_port
from tests.gateway.other_ends import Page
from tests.gateway.servers import Server, running_server_of
from tests.kit.eventually import eventually
from tests.kit.sign_in import token_for
from users.models import User

LIMITS = {
    "TOCSIN_SOCKETS_PER_PERSON": "3",
    "TOCSIN_SOCKETS_PER_ADDRESS": "5",
    "TOCSIN_SOCKETS_UNAUTHENTICATED": "4",
    "TOCSIN_AUTH_WITHIN_S": "60",
}


@pytest.fixture
def start(tmp_path: Path, transactional_db: None, valkey) -> Iterator[Callable[..., Server]]:
    """Start one more gateway on the test's own database and Valkey."""
    valkey.flushdb()
    with ExitStack() as running:

        def one(**environment: str) -> Server:
            log = tmp_path / f"{free_port(0)}.log"
            return running.enter_context(running_server_of(log, **(LIMITS | environment)))

        yield one


@pytest.fixture
def come() -> Iterator[Callable[..., Page]]:
    """Open a socket and sign in; say nothing without `sub`."""
    pages: list[Page] = []

    def one(server: Server, sub: str = "", address: str = "127.0.0.1", **options: object) -> Page:
        pages.append(Page(f"{server.ws_url}/ws/native", ready=False, source_address=(address, 0), **options))
        if sub:
            with suppress(ConnectionClosed):  # who is refused at the door is told before
                pages[-1].send(type="auth", token=token_for(sub))
        return pages[-1]

    yield one
    for page in pages:
        page.close()


def refused(page: Page) -> tuple[str, int]:
    error = page.receive()
    assert error["type"] == "error" and error["detail"]
    return error["code"], page.closed_with()


def is_in(page: Page) -> bool:
    return page.receive()["type"] == "ready"


@pytest.fixture
def people(transactional_db: None) -> list[str]:
    names = [f"p{number}" for number in range(8)]
    for name in names:
        User.objects.create_user(name, external_id=name)
    return names


def test_the_newest_socket_of_a_person_is_refused_and_the_others_stay(start, come, people) -> None:
    server = start()
    pages = [come(server, "p0") for _ in range(3)]
    assert all(map(is_in, pages))
    assert refused(come(server, "p0")) == ("too_many_sockets", 4009)
    for page in pages:
        page.barrier()
    assert is_in(come(server, "p1"))
    pages[0].close()
    assert eventually(lambda: is_in(come(server, "p0")))


def test_an_address_has_its_number_of_sockets_and_another_its_own(start, come, people) -> None:
    server = start()
    first = come(server, "p0")
    assert is_in(first)
    assert all(is_in(come(server, name)) for name in people[1:5])
    assert refused(come(server)) == ("too_many_sockets", 4009)
    assert is_in(come(server, "p5", "127.0.0.2"))
    first.close()
    assert eventually(lambda: come(server, "p6").receive()["type"] == "ready")


def test_a_forwarded_address_counts_only_where_daphne_takes_it(start, come, people) -> None:
    server = start()
    for name in people[:5]:
        assert is_in(come(server, name, additional_headers={"X-Forwarded-For": f"10.0.0.{name[1:]}"}))
    assert refused(come(server, additional_headers={"X-Forwarded-For": "10.9.9.9"}))[1] == 4009


def test_who_has_not_signed_in_takes_one_of_few_places_until_then(start, come, people) -> None:
    server = start(TOCSIN_SOCKETS_PER_ADDRESS="0")
    silent = [come(server) for _ in range(4)]
    page = come(server)
    error = page.receive()
    assert (error["code"], page.closed_with()) == ("busy", 4013)
    assert error["reconnect_after_ms"] >= 1_000
    silent[0].send(type="auth", token=token_for("p0"))
    assert is_in(silent[0])
    assert eventually(lambda: come(server, "p1").receive()["type"] == "ready")
    silent[1].close()
    assert eventually(lambda: come(server, "p2").receive()["type"] == "ready")


def test_who_comes_too_fast_is_told_to_come_back(start, come, people) -> None:
    server = start(TOCSIN_ACCEPT_PER_S="0.01", TOCSIN_ACCEPT_BURST="2", TOCSIN_ACCEPT_WAIT_S="0.5")
    assert [is_in(come(server, name)) for name in ("p0", "p1")] == [True, True]
    assert refused(come(server)) == ("busy", 4013)


def test_the_limits_hold_across_processes(start, come, people) -> None:
    first, second = start(), start()
    assert all(is_in(come(server, "p0")) for server in (first, second, first))
    assert refused(come(second, "p0")) == ("too_many_sockets", 4009)
    assert is_in(come(second, "p1"))
    # The refused one has its place until its connection has ended.
    assert eventually(lambda: is_in(come(first, "p2")))
    assert refused(come(second)) == ("too_many_sockets", 4009)


def test_a_process_that_was_killed_takes_no_place_away(start, come, people, valkey) -> None:
    first, second = start(), start()
    assert all(is_in(come(first, name)) for name in ("p0", "p0", "p0", "p1", "p2"))
    assert refused(come(second, "p3")) == ("too_many_sockets", 4009)
    first.process.kill()
    first.process.wait()
    person = User.objects.get(external_id="p0")
    eventually(lambda: valkey.pubsub_numsub(pubsub.user_channel(person.pk))[0][1] == 0)
    assert all(is_in(come(second, name)) for name in ("p0", "p0", "p0", "p1", "p2"))
    for key in (*valkey.keys("tocsin:sockets:*"), *valkey.keys("tocsin:addresses:*")):
        assert 0 < valkey.ttl(key) <= 60


def test_a_socket_that_ends_leaves_nothing_behind(start, come, people, valkey) -> None:
    server = start()
    pages = [come(server, "p0"), come(server, "p1")]
    assert all(map(is_in, pages))
    assert len(valkey.keys("tocsin:sockets:*")) == 2
    for page in pages:
        page.close()
    assert len(valkey.keys("tocsin:addresses:*")) == 1
    eventually(lambda: not valkey.keys("tocsin:sockets:*"))
    eventually(lambda: not valkey.keys("tocsin:addresses:*"))


ADDRESSES = {
    "IPv4": (["192.0.2.7", 1], "192.0.2.7"),
    "IPv6 by its network": (["2001:db8:1:2:3:4:5:6", 1], "2001:db8:1:2::/64"),
    "IPv4 in IPv6": (["::ffff:192.0.2.7", 1], "192.0.2.7"),
    "not an address": (["unix:", 1], "unix:"),
    "long": (["x" * 500, 1], "x" * 60),
    "none": (None, ""),
}


@pytest.mark.parametrize(("client", "counted"), ADDRESSES.values(), ids=ADDRESSES)
def test_what_counts_as_one_address(client, counted: str) -> None:
    assert address_of(client) == counted
