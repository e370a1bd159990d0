"""Node with the client's development packages, for every test that needs them."""

import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from config.env import ROOT

CLIENT = ROOT / "clients/js"
_NO_NODE = "Node is missing: apt-get install nodejs npm"


def missing(what: str, required: str) -> None:
    """Skip, or fail where everything has to be there."""
    if os.environ.get(required) == "1":
        pytest.fail(what)
    pytest.skip(what)


def install_packages(folder: Path = CLIENT) -> None:
    """Install what the lock file of a folder names, unless it is there."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        missing(_NO_NODE, "TOCSIN_REQUIRE_NODE")
    installed, wanted = folder / "node_modules/.package-lock.json", folder / "package-lock.json"
    with _alone(folder):
        if not installed.exists() or installed.stat().st_mtime < wanted.stat().st_mtime:
            run("npm", "ci", cwd=folder)


def pack(folder: Path) -> Path:
    """Return the packed client, as it would be published."""
    with _alone():
        [packed] = json.loads(run("npm", "pack", "--json", "--pack-destination", str(folder), cwd=CLIENT))
    return folder / packed["filename"]


@contextmanager
def _alone(folder: Path = CLIENT) -> Iterator[None]:
    """Let no other process that runs tests write to the folder meanwhile."""
    with (folder / "package.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def run(*command: str, cwd: Path, **environment: str) -> str:
    """Run a command, which must succeed, and return what it prints."""
    done = subprocess.run(command, cwd=cwd, env=os.environ | environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout
