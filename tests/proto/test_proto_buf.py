"""buf accepts the schema, and refuses every kind of change that would break a producer."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUF = Path(sys.executable).parent / "buf"
SCHEMA = "proto/tocsin/v1/user_events.proto"


@pytest.fixture(scope="module", autouse=True)
def offline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Take the network away, and keep the cache out of the working directory, where it lands without HOME."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BUF_CACHE_DIR", str(tmp_path_factory.mktemp("buf-cache")))
        for name in ("HTTP_PROXY", "HTTPS_PROXY"):
            patch.setenv(name, "http://127.0.0.1:9")
        yield


def buf(root: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """Run the real buf in `root`."""
    return subprocess.run(
        [str(BUF), *args], cwd=root, capture_output=True, text=True, timeout=60, check=False
    )


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    return buf(root, "lint", "proto")


def breaking(root: Path) -> subprocess.CompletedProcess[str]:
    return buf(root, "breaking", "proto", "--against", "proto/baseline")


def edit(root: Path, old: str, new: str) -> None:
    """Replace the one place in the schema that reads `old`."""
    schema = root / SCHEMA
    text = schema.read_text()
    assert text.count(old) == 1, f"{old!r} occurs {text.count(old)} times"
    schema.write_text(text.replace(old, new))


def test_buf_lint_passes() -> None:
    done = lint(ROOT)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_buf_breaking_passes_against_the_baseline() -> None:
    done = breaking(ROOT)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_schema_is_formatted() -> None:
    done = buf(ROOT, "format", "proto", "--diff", "--exit-code")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_module_is_the_schema_without_the_baseline() -> None:
    assert buf(ROOT, "ls-files", "proto").stdout.split() == [SCHEMA]


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        pytest.param("string event_id = 2;", "string event_id = 99;", 'field "2"', id="field renumbered"),
        pytest.param(
            "int64 timestamp = 3;\n  // What",
            "int32 timestamp = 3;\n  // What",
            '"int32"',
            id="field retyped",
        ),
        pytest.param("bytes payload = 5;", "bytes body = 5;", '"payload"', id="field renamed"),
        pytest.param("bytes payload = 5;", "repeated bytes payload = 5;", "cardinality", id="field repeated"),
        pytest.param(
            "DeliverySpec delivery = 6;", "Priority delivery = 6;", '"delivery"', id="field of other type"
        ),
        pytest.param("string user_id = 1;", "reserved 1;", 'field "1"', id="field deleted"),
        pytest.param("QUEUED = 1;", "QUEUED = 3;", 'enum value "1"', id="value renumbered"),
        pytest.param("CRITICAL = 2;", "URGENT = 2;", '"CRITICAL"', id="value renamed"),
        pytest.param("EVENT_ERROR = 53;", "reserved 53;", 'enum value "53"', id="value deleted"),
        pytest.param("string frozen = 3;", "string frozen = 3;", None, id="nothing"),
        pytest.param(
            "  CUSTOM = 1000;", "  CUSTOM = 1000;\n  // More.\n  MORE = 99;", None, id="value added"
        ),
        pytest.param("string topic = 15;", "string topic = 15;\n  string more = 99;", None, id="field added"),
        pytest.param(
            "message StrategyEventPayload {",
            "message Strategy {",
            "StrategyEventPayload",
            id="message renamed",
        ),
        pytest.param("package tocsin.v1;", "package tocsin.v2;", "package", id="package renamed"),
    ],
)
def test_buf_breaking_tells_a_break_from_an_addition(
    copy: Path, old: str, new: str, complaint: str | None
) -> None:
    edit(copy, old, new)
    done = breaking(copy)
    if complaint is None:
        assert (done.returncode, done.stdout) == (0, "")
    else:
        assert done.returncode == 100, done.stderr  # 100: the schema is at fault, not the command
        assert complaint in done.stdout


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        pytest.param(
            "  // Free labels for tracing and filtering; never rendered to a person.\n",
            "",
            "comment",
            id="comment",
        ),
        pytest.param(
            "uint32 ack_timeout_ms = 17;", "uint32 ackTimeoutMs = 17;", "lower_snake_case", id="camel case"
        ),
        pytest.param(
            "  // No claim.\n",
            "  // buf:lint:ignore COMMENT_ENUM_VALUE\n",
            "comment",
            id="ignore in a comment",
        ),
    ],
)
def test_buf_lint_can_fail(copy: Path, old: str, new: str, complaint: str) -> None:
    edit(copy, old, new)
    done = lint(copy)
    assert done.returncode == 100, done.stderr
    assert complaint in done.stdout
