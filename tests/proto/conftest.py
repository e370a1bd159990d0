"""The first schema, as its producers have it, and a copy of today's to play with."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def baseline(tmp_path_factory: pytest.TempPathFactory) -> FileDescriptorProto:
    out = tmp_path_factory.mktemp("baseline") / "baseline.bin"
    command = [
        sys.executable,
        "-m",
        "grpc_tools.protoc",
        "-I",
        "proto/baseline",
        f"--descriptor_set_out={out}",
    ]
    subprocess.run([*command, "proto/baseline/tocsin/v1/user_events.proto"], cwd=ROOT, check=True)
    [file] = FileDescriptorSet.FromString(out.read_bytes()).file
    return file


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A repository root that holds nothing but a copy of proto/."""
    root = tmp_path / "root"
    shutil.copytree(ROOT / "proto", root / "proto", ignore=shutil.ignore_patterns("__pycache__"))
    return root
