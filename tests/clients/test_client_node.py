"""The JavaScript client by itself: its own tests in Node, and its declarations."""

from tests.kit.node import CLIENT


def test_its_own_tests_pass(run_node) -> None:
    tests = [str(path) for path in sorted(CLIENT.glob("tests/*.test.js"))]
    assert len(tests) >= 4
    done = run_node("--test", *tests)
    assert done.returncode == 0, done.stdout[-20_000:]


def test_its_declarations_hold(run_node) -> None:
    done = run_node("node_modules/typescript/bin/tsc", "--noEmit", "--project", "tests/tsconfig.json")
    assert done.returncode == 0, done.stdout


def test_the_lock_file_names_no_registry(run_node) -> None:
    assert '"resolved"' not in (CLIENT / "package-lock.json").read_text()
