"""What others make of the OpenAPI document: two linters, and two generators whose clients are used."""

import json
import os
import shutil
import sys
from pathlib import Path

from tests.kit.node import run
from tests.openapi.conftest import TOOLS, Api

_OFFLINE = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}


def test_it_lints_clean(document: Path, tools: Path) -> None:
    found = run(
        str(tools / "redocly"),
        "lint",
        str(document),
        "--format=json",
        "--max-problems=5",
        cwd=TOOLS,
        **_OFFLINE,
    )
    assert json.loads(found)["totals"] == {"errors": 0, "warnings": 0, "ignored": 0}
    run(str(tools / "spectral"), "lint", "--fail-severity=hint", str(document), cwd=TOOLS)


def answers(said: str) -> dict:
    return json.loads(said.splitlines()[-1])


def test_a_client_is_generated_in_typescript(document: Path, tools: Path, api: Api, tmp_path: Path) -> None:
    run(str(tools / "openapi-ts"), "-i", str(document), "-o", str(tmp_path / "generated"), cwd=TOOLS)
    shutil.copy(TOOLS / "call.ts", tmp_path)
    bundle = (
        "call.ts",
        "--bundle",
        "--platform=node",
        "--format=esm",
        "--outfile=call.mjs",
        "--log-level=error",
    )
    run(str(tools / "esbuild"), *bundle, cwd=tmp_path)
    said = run("node", "call.mjs", cwd=tmp_path, API_URL=api.url, API_KEY=api.key, NO_PROXY="*")
    assert answers(said) == {
        "status": 200,
        "code": "no_channel",
        "user_id": "ann",
        "outcomes": 3,
        "refused": "not_found",
    }


def test_a_client_is_generated_in_python(document: Path, api: Api, tmp_path: Path) -> None:
    bin_of = Path(sys.executable).parent
    path = f"{bin_of}{os.pathsep}{os.environ['PATH']}"  # it formats with ruff
    generator = [str(bin_of / "openapi-python-client"), "generate", "--fail-on-warning", "--meta=none"]
    options = [f"--path={document}", "--output-path=generated", f"--config={TOOLS / 'python-client.yaml'}"]
    run(*generator, *options, cwd=tmp_path, PATH=path)
    shutil.copy(TOOLS / "call.py", tmp_path)
    said = run(sys.executable, "call.py", cwd=tmp_path, API_URL=api.url, API_KEY=api.key)
    assert answers(said) == {
        "status": 200,
        "code": "no_channel",
        "user_id": "ann",
        "outcomes": 3,
        "refused": "not_found",
    }
