"""Ports of the development system: two starts at once get different ones, and a taken one is no dead end."""

import socket
from contextlib import closing
from pathlib import Path

import pytest

from sandbox.system.postgres import Postgres
from sandbox.system.start import HOST, Ports, PortTaken, free_port
from sandbox.system.valkey import Valkey
from tests.kit.development_system import System


@pytest.fixture
def taken():
    with socket.socket() as other:
        other.bind((HOST, 0))
        other.listen()
        yield other.getsockname()[1]


def test_a_port_is_given_to_one_start_only() -> None:
    usual = free_port(0)
    with closing(Ports()) as first, closing(Ports()) as second:
        assert first.take(usual) == usual
        assert second.take(usual) != usual
        first.close()
        assert second.take(usual) == usual


def test_a_port_that_is_taken_is_not_given(taken: int) -> None:
    with closing(Ports()) as ports:
        assert ports.take(taken) != taken


def test_a_port_is_none_that_an_outgoing_connection_could_take(taken: int) -> None:
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert free_port(0) < lowest
    assert free_port(taken) < lowest


@pytest.mark.parametrize("server", [Postgres, Valkey])
def test_a_server_says_that_its_port_was_taken_meanwhile(server, taken: int, tmp_path) -> None:
    with pytest.raises(PortTaken):
        server(tmp_path / "home", "secret", taken).start()


def test_a_start_that_failed_does_not_spoil_the_next_one(taken: int, tmp_path) -> None:
    """The first one has made a data folder, whose password the second one must know."""
    home = tmp_path / "home"
    failed = System(home, "sandbox", POSTGRES_PORT=str(taken))
    assert failed.wait() == 1, failed.output
    assert "did not start" in failed.output
    with System.started(home, "web", "sandbox") as system:
        assert system.values["POSTGRES_PORT"] != str(taken)
