"""The producer's own words in the HTML of an e-mail, styled inline: mail programs ignore style sheets."""

from collections.abc import Iterable
from html import escape

from notifications.words import Block, Run

_CODE = "font-family:ui-monospace,Menlo,Consolas,monospace;font-size:13px;"


def markup(blocks: Iterable[Block]) -> str:
    return "".join(map(_block, blocks))


def _block(block: Block) -> str:
    margin = f"margin:{'12px' if block.apart else '2px'} 0 0;"
    left = f"padding-left:{18 * block.depth}px;" if block.depth else ""
    marker = f"{escape(block.marker)}&nbsp;" if block.marker else ""
    if block.code:
        style = f"{margin}{left}{_CODE}white-space:pre-wrap;"
        return f'<pre style="{style}">{marker}{escape(block.text)}</pre>'
    hanging = "text-indent:-14px;" if block.marker else ""
    text = "".join(map(_run, block.runs)).replace("\n", "<br>")
    return f'<div style="{margin}{left}{hanging}">{marker}{text}</div>'


def _run(run: Run) -> str:
    text = escape(run.text)
    text = f'<code style="{_CODE}">{text}</code>' if run.code else text
    text = f"<i>{text}</i>" if run.italic else text
    text = f"<b>{text}</b>" if run.bold else text
    if not run.url:
        return text
    return f'<a href="{escape(run.url)}" style="color:#2f6fed;">{text}</a>'
