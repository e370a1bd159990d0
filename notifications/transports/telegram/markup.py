"""The producer's own words in Telegram's HTML. It has no lists: their markers are text.

https://core.telegram.org/bots/api#html-style
"""

import re
from collections.abc import Iterable
from html import escape

from notifications.words import Block, Run, before

# Telegram makes a link of what looks like an address, except in code.
_ADDRESS = re.compile(
    r"(?:[a-z][a-z0-9+.-]*://|www\.|tg:|[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}[/:?#])\S*", re.I
)


def markup(blocks: Iterable[Block]) -> str:
    parts: list[str] = []
    for block in blocks:
        if block.code:
            text = f"<pre>{escape(block.text)}</pre>"
        else:
            text = "".join(map(_run, block.runs)).replace("\n", f"\n{block.indent}")
        parts.append(f"{before(block, first=not parts)}{escape(block.lead)}{text}")
    return "".join(parts)


def _run(run: Run) -> str:
    """Return one run. Code cannot be combined with anything else."""
    if run.code and not run.url:
        return f"<code>{escape(run.text)}</code>"
    text = escape(run.text) if run.url else _without_addresses(run.text)
    text = f"<i>{text}</i>" if run.italic else text
    text = f"<b>{text}</b>" if run.bold else text
    return f'<a href="{escape(run.url)}">{text}</a>' if run.url else text


def _without_addresses(text: str) -> str:
    parts, at = [], 0
    for found in _ADDRESS.finditer(text):
        parts.append(f"{escape(text[at : found.start()])}<code>{escape(found[0])}</code>")
        at = found.end()
    return "".join(parts) + escape(text[at:])
