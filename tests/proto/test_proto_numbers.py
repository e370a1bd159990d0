"""The schema and its baseline against the numbers that were ever given out."""

from typing import TypeVar

import pytest
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto

from proto.tocsin.v1 import user_events_pb2
from tests.proto.numbers_on_the_wire import (
    ADDED_FIELDS,
    ADDED_VALUES,
    FIRST_FIELDS,
    FIRST_VALUES,
    Fields,
    Values,
)

T = TypeVar("T")


def described(file: FileDescriptorProto) -> tuple[Fields, Values]:
    """The numbers of a schema in the form of the written-out ones."""
    fields = {
        message.name: {field.name: (field.number, spelled(field, message.name)) for field in message.field}
        for message in file.message_type
    }
    values = {enum.name: {value.name: value.number for value in enum.value} for enum in file.enum_type}
    return fields, values


def spelled(field: FieldDescriptorProto, message: str) -> str:
    """A field's type as the schema spells it."""
    repeated = field.label == FieldDescriptorProto.LABEL_REPEATED
    if field.type_name == f".tocsin.v1.{message}.CountsEntry":
        return "map<string, int32>"
    if field.type_name == f".tocsin.v1.{message}.MetadataEntry":
        return "map<string, string>"
    plain = FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()
    name = field.type_name.removeprefix(".tocsin.v1.") or plain
    return f"repeated {name}" if repeated else name


def merged(first: dict[str, dict[str, T]], added: dict[str, dict[str, T]]) -> dict[str, dict[str, T]]:
    return {name: first.get(name, {}) | added.get(name, {}) for name in first.keys() | added.keys()}


@pytest.fixture(scope="module")
def schema() -> FileDescriptorProto:
    file = FileDescriptorProto()
    user_events_pb2.DESCRIPTOR.CopyToProto(file)
    return file


def test_the_baseline_is_the_first_schema(baseline: FileDescriptorProto) -> None:
    assert described(baseline) == (FIRST_FIELDS, FIRST_VALUES)


@pytest.mark.parametrize("message", FIRST_FIELDS)
def test_fields_of_the_first_schema_keep_number_and_type(schema: FileDescriptorProto, message: str) -> None:
    now, _ = described(schema)
    assert {name: now[message].get(name) for name in FIRST_FIELDS[message]} == FIRST_FIELDS[message]


@pytest.mark.parametrize("enum", FIRST_VALUES)
def test_values_of_the_first_schema_keep_their_number(schema: FileDescriptorProto, enum: str) -> None:
    _, now = described(schema)
    assert {name: now[enum].get(name) for name in FIRST_VALUES[enum]} == FIRST_VALUES[enum]


def test_the_schema_is_the_first_one_and_what_was_added(schema: FileDescriptorProto) -> None:
    fields, values = described(schema)
    assert fields == merged(FIRST_FIELDS, ADDED_FIELDS)
    assert values == merged(FIRST_VALUES, ADDED_VALUES)


def test_added_event_types_stay_in_their_range() -> None:
    added = set(ADDED_VALUES["EventType"].values())
    assert added <= {*range(60, 100), 1000}
