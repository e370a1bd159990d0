"""A process whose clock is wrong, by libfaketime: its wall clock alone, not the monotonic one."""

from pathlib import Path

INSTALL = "libfaketime is missing; on Debian and Ubuntu: apt install faketime"
_VARIABLES = ("LD_PRELOAD", "FAKETIME", "FAKETIME_TIMESTAMP_FILE", "FAKETIME_CACHE_DURATION")


def skewed(seconds: int) -> dict[str, str]:
    """Return the environment of a process whose clock is so far ahead. Raises: `RuntimeError`."""
    return unskewed() | _library() | {"FAKETIME": f"{seconds:+d}s"}


def stepping(file: Path) -> dict[str, str]:
    """Return the environment of a process that reads from a file how far its clock is ahead."""
    read = {"FAKETIME_TIMESTAMP_FILE": str(file), "FAKETIME_CACHE_DURATION": "1"}
    return unskewed() | _library() | read


def unskewed() -> dict[str, str]:
    """Return what removes all of it from an environment."""
    return dict.fromkeys([*_VARIABLES, "FAKETIME_DONT_FAKE_MONOTONIC"], "")


def clock_file(home: Path, seconds: int) -> Path:
    """Write how far ahead the clock is now."""
    file = home / "clock"
    file.write_text(f"{seconds:+d}s\n")
    file.chmod(0o644)
    return file


def _library() -> dict[str, str]:
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not found:
        raise RuntimeError(INSTALL)
    return {"LD_PRELOAD": str(found[0]), "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
