"""A server that writes prepared frames to its WebSocket clients and does nothing else: the client's limit.

Usage: blaster.py SOCKETS FRAMES LENGTH. Prints its port, waits for the clients and for a line on standard
input, then writes one frame a system call, round and round.
"""

import socket
import sys


def main() -> None:
    count, frames, length = map(int, sys.argv[1:])
    listener = socket.create_server(("127.0.0.1", 0), backlog=count)
    print(listener.getsockname()[1], flush=True)
    clients = []
    for _ in range(count):
        client, _ = listener.accept()
        request = b""
        while b"\r\n\r\n" not in request:
            request += client.recv(4096)
        client.sendall(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
        clients.append(client)
    frame = bytes([0x81, 0x7E]) + (length - 4).to_bytes(2, "big") + b"x" * (length - 4)
    sys.stdin.readline()
    for _ in range(frames // count):
        for client in clients:
            client.sendall(frame)
    sys.stdin.readline()


if __name__ == "__main__":
    main()
