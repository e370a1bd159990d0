"""The embedded Postgres, also for root in a folder that nobody else may enter."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from sandbox.system import unprivileged
from sandbox.system.postgres import Postgres
from sandbox.system.start import free_port

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become another user")


@pytest.fixture
def closed_folder(tmp_path):
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o700)
    return folder


def test_postgres_starts_in_a_folder_that_only_its_owner_may_enter(closed_folder):
    postgres = Postgres(closed_folder / "home", "secret", free_port(0), fast=True)
    postgres.start()
    try:
        with psycopg.connect(postgres.url()) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    finally:
        postgres.stop()
    assert not (closed_folder / "home" / "postgres.password").exists()


@as_root
def test_the_server_has_another_user_and_no_capability(closed_folder):
    postgres = Postgres(closed_folder / "home", "secret", free_port(0), fast=True)
    postgres.start()
    try:
        pid = (postgres.data / "postmaster.pid").read_text().split()[0]
        status = dict(
            line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line
        )
        assert status["Uid"].split() == [str(unprivileged.NOBODY)] * 4
        assert int(status["CapEff"], 16) == int(status["CapAmb"], 16) == 0
    finally:
        postgres.stop()


@as_root
def test_programs_in_a_closed_folder_are_copied_to_where_another_user_can_run_them(
    closed_folder, monkeypatch
):
    programs = closed_folder / "install" / "bin"
    programs.mkdir(parents=True)
    shutil.copy("/bin/true", programs / "true")
    place = Path("/var/cache/tocsin-a-test")
    shutil.rmtree(place, ignore_errors=True)
    try:
        for _ in range(2):  # the second time it is there already
            found = unprivileged.reachable([programs], below=closed_folder, name="a-test")
            assert found == place
        done = subprocess.run([found / "install" / "bin" / "true"], **unprivileged.popen_options())
        assert done.returncode == 0
    finally:
        shutil.rmtree(place, ignore_errors=True)


@as_root
def test_a_copy_that_somebody_else_has_put_there_is_not_run(closed_folder, tmp_path_factory):
    place = Path("/var/cache/tocsin-b-test")
    place.mkdir(mode=0o755)
    (place / "postgres").touch()
    os.chown(place, unprivileged.NOBODY, unprivileged.NOBODY)
    temporary = Path("/tmp/tocsin-b-test")
    try:
        assert unprivileged.reachable([], below=closed_folder, name="b-test") == temporary
    finally:
        shutil.rmtree(place)
        shutil.rmtree(temporary, ignore_errors=True)


@as_root
def test_root_who_may_not_become_another_user_is_told_what_to_do(closed_folder):
    code = (
        "from pathlib import Path; from sandbox.system.postgres import *\n"
        f"try: Postgres(Path({str(closed_folder)!r}), 'x', 1).start()\n"
        "except StartFailed as failed: print(failed)"
    )
    command = ["setpriv", "--bounding-set=-setuid,-setgid", "--", sys.executable, "-c", code]
    said = subprocess.run(command, capture_output=True, text=True).stdout
    assert "does not let root become another user" in said
    assert "set DATABASE_URL to a Postgres of your own" in said
