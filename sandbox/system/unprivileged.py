"""Running Postgres for root: as `nobody`, and from a folder that `nobody` can reach.

Postgres refuses to run as root. Another user cannot enter root's home, nor most folders of a container, so
neither the programs nor the data can be named by a path below it:

- The data folder is the working directory, which we enter as root; Postgres gets it as `/proc/self/cwd`.
  The kernel follows that link without checking the folders above it.
- `initdb` and `postgres` resolve their own path, so they need a real one: a copy under `/var/cache`, or
  under the temporary folder, made once for each version.

No capability is needed but those to change the user and to give files away (`CAP_SETUID`, `CAP_SETGID`,
`CAP_CHOWN`), which containers have by default.
"""

import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

NOBODY = 65534
_PARENTS = (Path("/var/cache"), Path(tempfile.gettempdir()))


class NoPlace(Exception):
    """There is no folder that root can write and from which `nobody` can execute."""


def is_root() -> bool:
    return os.geteuid() == 0


def popen_options() -> dict[str, Any]:
    """Return the `subprocess` options that start a command as `nobody` if we are root."""
    return {"user": NOBODY, "group": NOBODY, "extra_groups": []} if is_root() else {}


def give_away(path: Path) -> None:
    """Change the owner of a file or folder to `nobody` if we are root."""
    if is_root():
        os.chown(path, NOBODY, NOBODY)


def data_path(folder: Path) -> str:
    """Return the path under which a process started in `folder` finds it."""
    return "/proc/self/cwd" if is_root() and sys.platform == "linux" else str(folder)


def reachable(folders: Iterable[Path], *, below: Path, name: str) -> Path:
    """Return a folder that has `folders` at the same relative paths as `below`, and that `nobody` can reach.

    This is `below` itself, unless we are root and a folder above it is closed. Raises: `NoPlace`.
    """
    if not is_root() or _is_open(below):
        return below
    for parent in _PARENTS:
        target = parent / f"tocsin-{name}"
        if _is_ours(target) or _copy(folders, below, target):
            return target
    raise NoPlace(f"neither of {', '.join(map(str, _PARENTS))} can hold the programs")


def _is_open(folder: Path) -> bool:
    return all(path.stat().st_mode & stat.S_IXOTH for path in (folder, *folder.parents))


def _is_ours(folder: Path) -> bool:
    """Return whether root created it: in a temporary folder any user may have taken the name."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == 0 and _is_open(folder)


def _copy(folders: Iterable[Path], below: Path, target: Path) -> bool:
    if not (target.parent.is_dir() and _is_open(target.parent)):
        return False
    try:
        unfinished = Path(tempfile.mkdtemp(prefix=f"{target.name}.", dir=target.parent))
    except OSError:
        return False
    try:
        for folder in folders:
            shutil.copytree(
                folder, unfinished / folder.relative_to(below), ignore=shutil.ignore_patterns("*.a")
            )
        unfinished.chmod(0o755)
        unfinished.rename(target)
    except OSError:  # the disk is full, or a concurrent start was faster
        shutil.rmtree(unfinished, ignore_errors=True)
    return _is_ours(target)
