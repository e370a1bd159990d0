"""Daphne with wires, and an application that writes what its client asks for. Usage: wired_server.py PORT"""

import json
import sys

from daphne.server import Server, WebSocketFactory  # isort: skip  its import installs the reactor
from daphne.ws_protocol import WebSocketProtocol

from gateway.server import wire


class Protocol(wire.Wired, WebSocketProtocol):
    pass


WebSocketFactory.protocol = Protocol


class WiredServer(Server):
    def create_application(self, protocol, scope):
        if scope["type"] == "websocket":
            scope["extensions"] = {wire.EXTENSION: protocol.wire}
        return super().create_application(protocol, scope)


async def application(scope, receive, send):
    """Do what a frame lists: `["wire", text, times]`, `["send", text]`, `["unsent"]`, `["close", code]`."""
    await receive()
    await send({"type": "websocket.accept"})
    mine = wire.of(scope)
    while (message := await receive())["type"] == "websocket.receive":
        for what, *given in json.loads(message["text"]):
            if what == "wire":
                text, times = given[0], given[1] if len(given) > 1 else 1
                for _ in range(times):
                    mine.write(text.encode())
            elif what == "send":
                await send({"type": "websocket.send", "text": given[0]})
            elif what == "unsent":
                await send({"type": "websocket.send", "text": str(mine.unsent())})
            else:
                await send({"type": "websocket.close", "code": given[0]})


if __name__ == "__main__":
    WiredServer(application, [f"tcp:{sys.argv[1]}:interface=127.0.0.1"], verbosity=0).run()
