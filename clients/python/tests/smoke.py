"""Run by `make check-client` where nothing but the wheel is installed: publish, and say what is beside it."""

import importlib.util
import json
import shutil
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import tocsin


class Accepting(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        events = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["events"]
        acks = [{"event_id": event["event_id"], "status": "DELIVERED", "final": True} for event in events]
        body = json.dumps({"acks": acks}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def publish() -> None:
    server = HTTPServer(("127.0.0.1", 0), Accepting)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    folder = tempfile.mkdtemp()
    with tocsin.EventPublisher(url, key="tsn_a_b", journal=Path(folder, "journal")) as publisher:
        assert publisher.critical("alice", "ORDER_FILLED", {"n": 1}).wait_final(10).delivered
    shutil.rmtree(folder)
    server.shutdown()


def speak_protobuf() -> None:
    from google.protobuf import __version__

    from tocsin import wire

    text = tocsin.Event("alice", "ORDER_FILLED", {"n": 1}, metadata={"a": "b"}).to_text()
    event = wire.pb.UserEvent.FromString(wire.event_bytes(text, source="shop"))
    assert (event.user_id, event.payload, dict(event.metadata)) == ("alice", b'{"n":1}', {"a": "b"})
    ack = wire.pb.EventAck(event_id="e", at=1, final=True, delivered_via="TELEGRAM", counts={"x": 1})
    assert wire.ack_from(ack.SerializeToString()).delivered_via == "TELEGRAM"
    print("protobuf", __version__)


def stand_beside_others() -> None:
    import proto  # that of proto-plus
    from google.cloud import pubsub_v1

    class Money(proto.Message):
        amount = proto.Field(proto.STRING, number=1)

    assert Money(amount="1").amount == "1"
    assert pubsub_v1.types.PubsubMessage(data=b"1").data == b"1"
    print("beside google-cloud-pubsub and proto-plus")


publish()
if len(sys.argv) == 1:
    assert importlib.util.find_spec("google") is None
    assert importlib.util.find_spec("proto") is None
if importlib.util.find_spec("google"):
    speak_protobuf()
if "proto-plus" in sys.argv:
    stand_beside_others()
if importlib.util.find_spec("redis"):
    importlib.import_module("tocsin.transports.redis_streams")
print("ok on Python", sys.version.split()[0])
