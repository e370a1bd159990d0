"""The package as it is packed: its size, what it exports, and its types for those who install it."""

import gzip
import json
import re

import pytest

from tests.kit.node import CLIENT, pack, run

KIB = 1024
_VIEWS = ("style", "dom", "words", "inbox-element", "toasts-element")


@pytest.fixture(scope="module")
def packed(run_node, tmp_path_factory):
    """The packed client, unpacked where npm would install it."""
    folder = tmp_path_factory.mktemp("packed")
    home = folder / "node_modules/tocsin-client"
    home.mkdir(parents=True)
    run("tar", "-xzf", str(pack(folder)), "-C", str(home), "--strip-components=1", cwd=folder)
    return home


@pytest.mark.parametrize(("name", "most"), [("tocsin", 8 * KIB), ("components", 20 * KIB)])
def test_it_is_small(packed, name: str, most: int) -> None:
    assert len(gzip.compress((packed / f"dist/{name}.js").read_bytes(), 9)) <= most


def test_every_export_is_in_the_package_and_has_types(packed) -> None:
    exports = json.loads((packed / "package.json").read_text())["exports"]
    files = [file for way in exports.values() if isinstance(way, dict) for file in way.values()]
    assert len(files) == 8
    assert [file for file in files if not (packed / file).exists()] == []


def test_a_server_may_import_the_components(packed) -> None:
    """Pages that are rendered on a server import the module there too, without a browser's classes."""
    script = (
        'import "tocsin-client/components"; import { makeToken } from "tocsin-client/token"; makeToken.name'
    )
    home = packed.parent.parent
    assert run("node", "--input-type=module", "--eval", script, cwd=home) == ""


def test_every_text_has_its_translations(run_node) -> None:
    script = """
        import { TEXTS } from "./src/texts.js";
        const all = Object.values(TEXTS);
        const shape = (texts) => JSON.stringify(Object.entries(texts).map(([name, it]) => [name, typeof it]));
        const same = all.every((texts) => shape(texts) === shape(TEXTS.en));
        const empty = all.some((texts) => Object.values(texts).some((text) => !String(text)));
        process.stdout.write(JSON.stringify([Object.keys(TEXTS), same, empty]));
    """
    done = run_node("--input-type=module", "--eval", script)
    assert json.loads(done.stdout) == [["en", "de", "zh"], True, False]


def test_every_variable_and_part_of_the_style_is_documented() -> None:
    readme = (CLIENT / "README.md").read_text()
    sources = "".join((CLIENT / f"src/{name}.js").read_text() for name in _VIEWS)
    variables = set(re.findall(r"--tocsin-[a-z-]+", sources))
    parts = {part for parts in re.findall(r"part: [\"`]([a-z -]+)", sources) for part in parts.split()}
    assert len(variables) > 10
    assert len(parts) > 25
    assert {name for name in variables | parts if f"`{name}`" not in readme} == set()
