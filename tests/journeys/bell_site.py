"""The pages of another site that carry the bell, made from the client's packed file as its makers do."""

import shutil
from pathlib import Path

from tests.kit.node import CLIENT, pack, run
from tests.kit.other_site import OtherSite

PAGES = Path(__file__).parent / "bell"
FRAMEWORKS = ("react", "preact")


def install_packed(folder: Path) -> None:
    """Install the packed client in `folder` as npm does, without a registry."""
    (folder / "package.json").write_text('{"private": true, "type": "module"}')
    run("npm", "install", "--offline", "--no-audit", "--no-fund", pack(folder).name, cwd=folder)


def build(site: OtherSite) -> None:
    """Build the pages: one without a framework, and one for each framework."""
    install_packed(site.folder)
    for file in PAGES.iterdir():
        shutil.copy(file, site.folder)
    esbuild = str(CLIENT / "node_modules/.bin/esbuild")
    entries = [f"{name}.bundle={name}.js" for name in FRAMEWORKS]
    options = ("--bundle", "--format=esm", "--outdir=.", "--define:process.env.NODE_ENV='production'")
    run(esbuild, *entries, *options, cwd=site.folder, NODE_PATH=str(CLIENT / "node_modules"))


def welcome(site: OtherSite, person: str, tocsin: str) -> None:
    """Let the site sign this person in: its pages are theirs from now on."""
    site.person = person
    for name in ("plain", *FRAMEWORKS):
        template = PAGES / ("plain.html" if name == "plain" else "framework.html")
        text = template.read_text().replace("TOCSIN", tocsin).replace("PERSON", person)
        (site.folder / f"{name}.html").write_text(text.replace("FRAMEWORK", name))
