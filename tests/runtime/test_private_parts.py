"""The private parts of other libraries that we use are where docs/private-parts.md says."""

import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from types import FunctionType
from typing import NamedTuple

import pytest

from config.env import ROOT

DOC = ROOT / "docs" / "private-parts.md"


class Row(NamedTuple):
    library: str
    version: str
    parts: list[str]
    doors: list[str]


def rows() -> Iterator[Row]:
    for line in DOC.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and "`" in cells[2]:
            yield Row(cells[0], cells[1], re.findall(r"`(.+?)`", cells[2]), re.findall(r"`(.+?)`", cells[3]))


ROWS = list(rows())
PARTS = [part for row in ROWS for part in row.parts]


def exists(part: str) -> bool:
    """Return whether `module:Name` or `module:Class.attribute` exists, also if only an instance has it."""
    module, _, path = part.partition(":")
    name, _, attribute = path.partition(".")
    found = getattr(import_module(module), name, None)
    if found is None or not attribute:
        return found is not None
    if hasattr(found, attribute):
        return True
    sources = [inspect.getsource(one) for one in found.__mro__ if one is not object]
    return any(re.search(rf"self\.{attribute}\b[^=\n]*=[^=]", source) for source in sources)


def test_the_list_was_read() -> None:
    assert len(PARTS) > 50
    assert {"daphne", "autobahn", "twisted", "redis", "psycopg", "django"} <= {row.library for row in ROWS}


def test_the_check_finds_what_is_missing() -> None:
    assert not exists("daphne.server:Server.no_such_part")
    assert not exists("daphne.server:NoSuchClass")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.library} {row.doors[0]}")
def test_the_listed_version_is_pinned_and_installed(row: Row) -> None:
    pinned = "".join((ROOT / "requirements" / name).read_text() for name in ("base.txt", "embedded.txt"))
    assert f"\n{row.library}=={row.version} " in pinned
    assert version(row.library) == row.version


@pytest.mark.parametrize("part", PARTS)
def test_the_part_exists(part: str) -> None:
    assert exists(part)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.library} {row.doors[0]}")
def test_its_door_uses_it(row: Row) -> None:
    code = "".join(Path(ROOT, door).read_text() for door in row.doors)
    for part in row.parts:
        name = re.split(r"[.:]", part)[-1]
        assert re.search(rf"\b{name}\b", code)


OURS = [
    "config.flower:Flower",
    "config.redis_broker:Transport",
    "gateway.server.daphne:LiveServer",
    "gateway.server.http:BoundedChannel",
    "gateway.server.http:BoundedRequest",
    "gateway.server.protocol:LiveProtocol",
    "gateway.sockets.consumer:SessionConsumer",
    "runtime.postgres.base:_Errors",
    "runtime.postgres.connection:Connection",
]


@pytest.mark.parametrize("ours", OURS)
def test_an_overridden_method_takes_what_the_library_passes(ours: str) -> None:
    module, _, name = ours.partition(":")
    kind = getattr(import_module(module), name)
    for method in (one for one in vars(kind).values() if isinstance(one, FunctionType)):
        bases = (base for base in kind.__mro__[1:] if not base.__module__.startswith("gateway."))
        theirs = next((vars(base)[method.__name__] for base in bases if method.__name__ in vars(base)), None)
        if isinstance(theirs, FunctionType) and method.__name__ not in {"__init__", "__call__"}:
            assert list(inspect.signature(method).parameters) == list(inspect.signature(theirs).parameters)
