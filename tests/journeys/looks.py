"""How a page looks, measured in it: faults that axe-core finds, text that is cut, parts that overlap."""

from pathlib import Path

from playwright.sync_api import Page

from config.env import ROOT

AXE = ROOT / "clients" / "js" / "node_modules" / "axe-core" / "axe.min.js"

_MEASURE = (Path(__file__).parent / "measure.js").read_text()


def layout_faults(page: Page, width: int) -> list[str]:
    """Return what is cut, outside or overlapping at this width of the window."""
    page.set_viewport_size({"width": width, "height": 900})
    faults: list[str] = page.evaluate(_MEASURE)
    return [f"{page.url} at {width}: {fault}" for fault in faults]


def axe_faults(page: Page) -> list[str]:
    """Return what axe-core finds in the page as it is now, of whatever impact."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text())
    found = page.evaluate("async () => (await axe.run()).violations")
    return [
        f"{page.url}: {one['id']} ({one['impact']}): {node['html'][:200]} {node['any'][:1]}"
        for one in found
        for node in one["nodes"]
    ]


def keep(page: Page, folder: Path, name: str) -> None:
    """Keep a picture of the whole page."""
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / f"{name}.png", full_page=True, animations="disabled")
