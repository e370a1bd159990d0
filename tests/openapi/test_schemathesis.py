"""Schemathesis asks a running server what the document says that it answers.

`make schemathesis` runs it for longer: SCHEMATHESIS_EXAMPLES is how many requests it invents for each call.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.sign_in import token_for
from tests.openapi.conftest import TOOLS, Api

_EXAMPLES = os.environ.get("SCHEMATHESIS_EXAMPLES")

# An answer may be of any kind that the document names: what is well-formed may be refused all the same.
_CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "unsupported_method",
)


_QUICK = ["--phases=examples,fuzzing", "--max-examples=3"]
_LONG = ["--phases=examples,coverage,fuzzing", f"--max-examples={_EXAMPLES}"]


def ask(url: str, token: str, home: Path) -> None:
    program = [
        str(Path(sys.executable).parent / "schemathesis"),
        f"--config-file={TOOLS / 'schemathesis.toml'}",
    ]
    options = [f"--checks={','.join(_CHECKS)}", "--seed=1", "--no-color", "--warnings=off", "--no-shrink"]
    command = [*program, "run", f"{url}/api/v1/openapi.json", *options, *(_LONG if _EXAMPLES else _QUICK)]
    header = f"--header=Authorization: Bearer {token}"
    done = subprocess.run([*command, header], cwd=home, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr
    assert "Tested: 5" in done.stdout, done.stdout[-2000:]  # every call
    print(done.stdout)


def test_a_source_is_answered_as_documented(api: Api, bob, tmp_path: Path) -> None:
    ask(api.url, api.key, tmp_path)


@pytest.mark.skipif(not _EXAMPLES, reason="a part of make schemathesis")
def test_a_person_is_answered_as_documented(api: Api, bob, tmp_path: Path) -> None:
    ask(api.url, token_for("ann"), tmp_path)
