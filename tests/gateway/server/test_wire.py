"""Ready-made frames on a real Daphne: their bytes, their order among `send` and close, and slow readers."""

import json
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import websockets.sync.client
from websockets.exceptions import ConnectionClosed

from config.env import ROOT
from sandbox.system.child_process import end
from sandbox.system.start import free_port
from tests.kit.eventually import eventually


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    found = free_port(0)
    server = Path(__file__).with_name("wired_server.py")
    log = tmp_path_factory.mktemp("wired") / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, str(server), str(found)],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=output,
            stderr=output,
        )
    try:
        eventually(lambda: process.poll() is not None or _listens(found), within_s=30)
        yield found
        assert log.read_text() == ""
    finally:
        end(process)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def client(port: int) -> Iterator["websockets.sync.client.ClientConnection"]:
    url = f"ws://127.0.0.1:{port}/"
    with websockets.sync.client.connect(url, proxy=None, max_size=None, compression=None) as opened:
        yield opened


def ask(client, *steps: object) -> None:
    client.send(json.dumps(steps))


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 200_000])
def test_a_text_of_any_length_arrives_as_it_is(client, size: int) -> None:
    text = "é" * (size // 2) + "x" * (size % 2)
    ask(client, ["wire", text])
    assert client.recv(timeout=10) == text


def test_the_order_is_that_of_the_calls_whichever_way_was_taken(client) -> None:
    steps = [["send" if number % 3 == 0 else "wire", str(number)] for number in range(300)]
    ask(client, *steps)
    assert [client.recv(timeout=10) for _ in steps] == [str(number) for number in range(300)]


def test_what_was_written_before_a_close_arrives_and_what_comes_after_does_not(client) -> None:
    ask(client, ["wire", "before"], ["close", 4008], ["wire", "after"])
    assert client.recv(timeout=10) == "before"
    with pytest.raises(ConnectionClosed) as closed:
        client.recv(timeout=10)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4008


@contextmanager
def raw_client(port: int) -> Iterator[socket.socket]:
    """A client without a library, which reads only when the test does."""
    with socket.socket() as opened:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        opened.settimeout(20)
        opened.connect(("127.0.0.1", port))
        opened.sendall(
            b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += opened.recv(1)
        yield opened


def raw_frame(*steps: object) -> bytes:
    data = json.dumps(steps).encode()
    return b"\x81\xfe" + len(data).to_bytes(2, "big") + bytes(4) + data


def test_a_client_that_reads_late_misses_nothing_and_what_waits_is_counted(port: int) -> None:
    text, times = "x" * 10_000, 3_000  # more than both kernel buffers take
    frame = b"\x81\x7e" + (10_000).to_bytes(2, "big") + text.encode()
    with raw_client(port) as slow:
        slow.sendall(raw_frame(["wire", text, times], ["send", "sent"], ["unsent"], ["wire", "end"]))
        with slow.makefile("rb") as reader:
            for _ in range(times):
                assert reader.read(len(frame)) == frame
            assert reader.read(6) == b"\x81\x04sent"
            assert reader.read(1) == b"\x81"
            unsent = int(reader.read(reader.read(1)[0]))
            assert reader.read(5) == b"\x81\x03end"
    assert times * len(frame) / 2 < unsent <= times * len(frame) + 6


def test_who_left_without_a_word_stops_nobody_else(port: int, client) -> None:
    with raw_client(port) as rude:
        rude.sendall(raw_frame(["wire", "x" * 1_000, 20_000]))
        rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close with a reset
    ask(client, ["wire", "still here"])
    assert client.recv(timeout=10) == "still here"
