"""`make docs`: write the tables of settings in docs/configuration.md from the settings themselves."""

import re

from config.env import ROOT
from gateway.settings import EdgeSettings
from notifications.settings import PipelineSettings
from runtime.settings import table

PAGE = ROOT / "docs" / "configuration.md"


def written(page: str) -> str:
    """Return the page with its tables of settings as they are in the code."""
    for name, tuning in (("operators", False), ("tuning", True)):
        rows = table(PipelineSettings, EdgeSettings, tuning=tuning)
        block = f"<!-- settings: {name} -->\n{rows}\n<!-- end -->"
        page = re.sub(rf"<!-- settings: {name} -->.*?<!-- end -->", lambda _: block, page, flags=re.DOTALL)  # noqa: B023
    return page


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text()))
