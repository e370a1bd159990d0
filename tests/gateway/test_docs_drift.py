"""docs/api.md and docs/websocket.md name everything that the code can say."""

import ast
import re

import pytest

from config.env import ROOT
from gateway import close_codes
from gateway.api.openapi.publishing import EVENT
from gateway.codec import fields
from gateway.codec.schema import Field
from gateway.sockets.consumer import SessionConsumer
from notifications.states import EndCode
from proto.tocsin.v1 import user_events_pb2 as wire

API = (ROOT / "docs/api.md").read_text()
WEBSOCKET = (ROOT / "docs/websocket.md").read_text()
WIRE = (ROOT / "docs/wire.md").read_text()

# Who refuses, and which argument is the code.
REFUSERS = {
    "InvalidEvent": 0,
    "problem": 0,
    "AuthFailed": 0,
    "FrameRefused": 0,
    "Refused": 0,
    "reject": 0,
    "rejected_ack": 1,
    "Remark": 0,
}


def raised_in(pattern: str) -> set[str]:
    """Every code that is a literal where something is refused."""
    found = set()
    for path in ROOT.glob(pattern):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            place = REFUSERS.get(ast.unparse(node.func))
            if place is not None and len(node.args) > place:
                found.add(_code(node.args[place]))
            found |= {_code(word.value) for word in node.keywords if word.arg == "code"}
    return {code for code in found if isinstance(code, str) and code}


def _code(node: ast.expr) -> object:
    """Return a code that is a literal, or a member of the closed set."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "EndCode":
        return EndCode[node.attr].value
    return None


def documented(text: str) -> set[str]:
    """Every name in the first column of a table."""
    return {name for line in text.splitlines() if line.startswith("| `") for name in _names(line)}


def _names(line: str) -> list[str]:
    return re.findall(r"`([a-z_]+)`", line.split(" | ")[0])


def test_every_code_of_the_api_is_documented() -> None:
    codes = raised_in("gateway/**/*.py") | raised_in("notifications/ingest.py")
    codes |= raised_in("notifications/acks.py") | raised_in("notifications/store/*.py")
    codes |= raised_in("notifications/topics/*.py") | raised_in("users/people/*.py")
    assert {"missing_field", "unknown_user", "conflict", "no_session", "poison"} <= codes
    assert codes - documented(API) - documented(WEBSOCKET) == set()


def test_every_code_of_the_socket_is_documented_there() -> None:
    codes = raised_in("gateway/sockets/consumer.py") | raised_in("gateway/auth/bearer.py")
    codes |= raised_in("gateway/sockets/frames.py") | raised_in("gateway/sockets/handlers.py")
    codes |= raised_in("gateway/server/protocol.py") | raised_in("notifications/topics/subscriptions.py")
    assert {"flooding", "unknown_event", "topic_forbidden"} <= codes
    keys_only = {"missing_key", "invalid_key", "missing_scope", "test_key"}
    assert codes - keys_only - documented(WEBSOCKET) == set()


def test_no_code_is_documented_that_nobody_says() -> None:
    source = "".join(
        path.read_text()
        for name in ("gateway", "notifications", "users")
        for path in ROOT.glob(f"{name}/**/*.py")
    )
    fields = {field.name for field in wire.UserEvent.DESCRIPTOR.fields}
    for name in (documented(API) | documented(WEBSOCKET)) - fields:
        assert f'"{name}"' in source, name


def test_every_client_frame_is_documented() -> None:
    section = WEBSOCKET.split("## What you send")[1].split("\n## ")[0]
    assert set(re.findall(r'^\| `\{"type": "([a-z.]+)"', section, re.MULTILINE)) == set(
        SessionConsumer._handlers
    )


def test_every_server_frame_is_documented() -> None:
    section = WEBSOCKET.split("## What you receive")[1].split("\n## ")[0]
    said = {"event.archived", "event.seen", "event.read"}  # named after what was marked
    for path in (*ROOT.glob("gateway/**/*.py"), ROOT / "notifications/live/frames.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in {
                "self._send_frame",
                "pubsub.frame",
                "changed_frames",
            }:
                kind = node.args[0]
                said |= {kind.value} if isinstance(kind, ast.Constant) else set()
    assert {"ready", "event", "error", "pong", "shutdown"} <= said
    assert set(re.findall(r'^\| `\{"type": "([a-z.]+)"', section, re.MULTILINE)) == said


def test_every_close_code_is_documented() -> None:
    codes = [value for name, value in vars(close_codes).items() if name.isupper()]
    section = WEBSOCKET.split("## Close codes")[1]
    assert codes
    assert [code for code in codes if f"| {code} |" not in section] == []


@pytest.mark.parametrize("status", [200, 202, 204, 401, 403, 404, 408, 409, 413, 415, 422, 429, 503])
def test_every_status_is_documented(status: int) -> None:
    assert f"\n| {status} |" in API


def test_the_table_of_fields_is_that_of_the_protobuf_and_of_the_openapi_document() -> None:
    names = {field.name for field in fields.EVENT}
    assert names == {field.name for field in wire.UserEvent.DESCRIPTOR.fields} - {"source"}  # informative
    assert set(EVENT["properties"]) == names


@pytest.mark.parametrize("field", fields.EVENT, ids=lambda field: field.name)
def test_wire_md_describes_each_field_as_the_table_does(field: Field) -> None:
    number = wire.UserEvent.DESCRIPTOR.fields_by_name[field.name].number
    row = re.search(rf"^\| {number} \| `{field.name}` \| [^|]+ \| (.+) \|$", WIRE, re.MULTILINE)
    assert row is not None
    assert row[1].startswith(("**required**; " if field.required else "") + field.description)


@pytest.mark.parametrize(
    "field",
    [field for field in fields.EVENT if "maxLength" in field.kind.schema],
    ids=lambda field: field.name,
)
def test_api_md_states_the_length_of_each_field(field: Field) -> None:
    limits = API.split("## Limits")[1]
    row = re.search(rf"^\| .*`{field.name}`.* \| (\d+) (bytes|characters) \|$", limits, re.MULTILINE)
    assert row is not None
    assert int(row[1]) == field.kind.schema["maxLength"]
