"""Write the Python code for the wire contract: `python -m proto.generate [--check]`.

It runs this protoc from the repository root, where the paths make `proto.tocsin.v1` importable:

    python -m grpc_tools.protoc -I . --python_out=. --pyi_out=. proto/tocsin/v1/user_events.proto

`--check` generates into a temporary folder instead, changes nothing, and exits 1 naming every file that
differs.
"""

import argparse
import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCHEMAS = "proto/tocsin"
GENERATED = ("*_pb2.py", "*_pb2.pyi")


class GenerateError(Exception):
    """protoc is missing or refused the schema; the message says which."""


def generate(root: Path, out: Path) -> None:
    """Write the modules of every schema under `root` into `out`, which mirrors the folders of `root`.

    Raises:
        GenerateError: grpcio-tools is not installed, or protoc refused a schema.
    """
    if importlib.util.find_spec("grpc_tools") is None:
        raise GenerateError("grpcio-tools is not installed: pip install -r requirements/dev.txt")
    schemas = sorted(path.relative_to(root).as_posix() for path in (root / SCHEMAS).rglob("*.proto"))
    if not schemas:
        raise GenerateError(f"no .proto file under {root / SCHEMAS}")
    command = [
        sys.executable,
        "-m",
        "grpc_tools.protoc",
        "-I",
        ".",
        f"--python_out={out}",
        f"--pyi_out={out}",
    ]
    done = subprocess.run([*command, *schemas], cwd=root, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise GenerateError(f"protoc failed:\n{done.stderr.strip()}")


def differences(root: Path) -> list[str]:
    """Say how the committed modules under `root` differ from freshly generated ones, a line each.

    Raises:
        GenerateError: as `generate`.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        generate(root, out)
        fresh, committed = _modules(out), _modules(root)
    lines = []
    for name in sorted(fresh.keys() | committed.keys()):
        if name not in committed:
            lines.append(f"{name} is missing")
        elif name not in fresh:
            lines.append(f"{name} has no schema any more")
        elif fresh[name] != committed[name]:
            lines.append(f"{name} is not what its schema generates")
    return lines


def _modules(root: Path) -> dict[str, bytes]:
    """Generated files under `root`, by their path from there."""
    found = (path for pattern in GENERATED for path in (root / SCHEMAS).rglob(pattern))
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in found}


def main(argv: Sequence[str] | None = None) -> int:
    """Generate, or check what is committed; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m proto.generate", description="Generate Python from proto/."
    )
    parser.add_argument(
        "--check", action="store_true", help="change nothing; exit 1 when the code is out of date"
    )
    check: bool = parser.parse_args(argv).check
    try:
        if not check:
            generate(ROOT, ROOT)
            return 0
        lines = differences(ROOT)
    except GenerateError as error:
        print(error, file=sys.stderr)
        return 1
    if lines:
        print("The generated code is out of date:", *lines, sep="\n  ", file=sys.stderr)
        print(
            "Run `python -m proto.generate` with the grpcio-tools of requirements/dev.txt, and commit.",
            file=sys.stderr,
        )
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
