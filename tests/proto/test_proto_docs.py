"""docs/wire.md names everything in the contract with its right number, and its examples run."""

import re
import runpy
from pathlib import Path

import pytest

from proto.tocsin.v1 import user_events_pb2 as wire

DOC = (Path(__file__).resolve().parents[2] / "docs/wire.md").read_text()
MESSAGES = wire.DESCRIPTOR.message_types_by_name
ENUMS = wire.DESCRIPTOR.enum_types_by_name
TABLED = ("UserEvent", "EventAck", "SignedEnvelope")


def section(title: str) -> str:
    """The text under a heading, up to the next one of the same level."""
    return DOC.split(f"\n## {title}\n")[1].split("\n## ")[0]


@pytest.mark.parametrize("name", TABLED)
def test_the_table_of_a_message_is_its_fields(name: str) -> None:
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \|", section(name), re.MULTILINE)
    assert rows == [(str(field.number), field.name) for field in MESSAGES[name].fields]


@pytest.mark.parametrize("name", [n for n in MESSAGES if n not in TABLED and not n.endswith("Payload")])
def test_the_fields_of_smaller_messages_are_named_with_their_number(name: str) -> None:
    assert name in DOC
    for field in MESSAGES[name].fields:
        assert re.search(rf"`{field.name}` \({field.number}\b|`{field.name}`, {field.number}\)", DOC), (
            field.name
        )


@pytest.mark.parametrize("name", [n for n in MESSAGES if n.endswith("Payload")])
def test_every_payload_is_named_beside_its_types(name: str) -> None:
    assert f"| `{name}` |" in section("Event types and their payloads")


@pytest.mark.parametrize(("enum", "value"), [(e, v) for e in ENUMS for v in ENUMS[e].values_by_name])
def test_every_enum_value_is_named_with_its_number(enum: str, value: str) -> None:
    number = ENUMS[enum].values_by_name[value].number
    assert re.search(rf"`{value}`(?: \| | ){number}\b", DOC)


def test_the_examples_run_and_give_what_the_text_says(tmp_path: Path) -> None:
    examples = tmp_path / "examples.py"
    examples.write_text("\n".join(re.findall(r"```python\n(.*?)```", DOC, re.DOTALL)))
    names = runpy.run_path(str(examples))
    assert wire.UserEvent.FromString(names["data"]).delivery.priority == wire.CRITICAL
    signature = names["sign"](b"secret", "venue", "k1", 1734533790000, bytes(16), b"{}")
    assert signature.hex() in DOC
