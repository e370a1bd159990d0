"""The committed Python is what the schema generates, and the check would say so if it were not."""

import subprocess
import sys
from pathlib import Path

import pytest

from proto.generate import GenerateError, differences

ROOT = Path(__file__).resolve().parents[2]
MODULE = "proto/tocsin/v1/user_events_pb2.py"


def test_regenerating_changes_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "proto.generate", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_check_names_a_module_that_is_behind_its_schema(copy: Path) -> None:
    schema = copy / "proto/tocsin/v1/user_events.proto"
    schema.write_text(
        schema.read_text().replace("uint32 ack_timeout_ms = 17;", "uint32 ack_timeout_ms = 99;")
    )
    # The stub names no numbers, so only the module differs.
    assert differences(copy) == [f"{MODULE} is not what its schema generates"]


def test_check_names_a_missing_module(copy: Path) -> None:
    (copy / MODULE).unlink()
    assert differences(copy) == [f"{MODULE} is missing"]


def test_check_names_a_module_without_a_schema(copy: Path) -> None:
    (copy / "proto/tocsin/v1/old_pb2.py").touch()
    assert differences(copy) == ["proto/tocsin/v1/old_pb2.py has no schema any more"]


def test_the_command_exits_1_and_says_what_to_do(copy: Path) -> None:
    (copy / MODULE).unlink()
    done = subprocess.run(
        [sys.executable, "-m", "proto.generate", "--check"],
        cwd=copy,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert f"{MODULE} is missing" in done.stderr
    assert "python -m proto.generate" in done.stderr


def test_the_command_repairs_what_check_reports(copy: Path) -> None:
    (copy / MODULE).unlink()
    subprocess.run([sys.executable, "-m", "proto.generate"], cwd=copy, check=True)
    assert (copy / MODULE).read_bytes() == (ROOT / MODULE).read_bytes()


def test_a_schema_that_protoc_refuses_is_an_error(copy: Path) -> None:
    (copy / "proto/tocsin/v1/user_events.proto").write_text('syntax = "proto3"; message Broken {')
    with pytest.raises(GenerateError, match="protoc failed"):
        differences(copy)


def test_a_folder_without_schemas_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(GenerateError, match=r"no \.proto file"):
        differences(tmp_path)
