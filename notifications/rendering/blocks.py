"""Fitting blocks of text to a length, as `lengths` does it with plain text."""

from collections.abc import Iterator
from dataclasses import replace

from notifications.rendering.graphemes import boundary, next_boundary
from notifications.rendering.lengths import gap, shorten
from notifications.words import Block, Run, plain_text

_END = {False: "\n", True: "\n\n"}

Body = str | tuple[Block, ...]


def as_text(body: Body) -> str:
    return body if isinstance(body, str) else plain_text(body)


def shorten_body(body: Body, limit: int) -> Body:
    return shorten(body, limit) if isinstance(body, str) else shorten_blocks(body, limit)


def shorten_blocks(blocks: tuple[Block, ...], limit: int) -> tuple[Block, ...]:
    """Cut to about `limit` characters of text, at least 80; both ends are kept, and what is missing is said.

    A URL behind a label does not count. Each block counts its marker, its indentation and a line end.
    """
    text = "".join(f"{block.lead}{block.text}{_END[block.apart]}" for block in blocks)
    if len(text) <= limit + 2:
        return blocks
    room = limit - len(gap(len(text)))
    end = boundary(text, room // 2)
    start = next_boundary(text, len(text) - (room - room // 2))
    left_out = Block((Run(gap(start - end).strip()),))
    return (*_part(blocks, 0, end), left_out, *_part(blocks, start, len(text)))


def _part(blocks: tuple[Block, ...], start: int, end: int) -> Iterator[Block]:
    """Yield what stands between two positions in the text of all blocks."""
    at = 0
    for block in blocks:
        first = at + len(block.lead)
        at = first + len(block.text) + len(_END[block.apart])
        if at <= start or first >= end:
            continue
        if start <= first and at <= end:
            yield block
        else:
            yield replace(
                block,
                runs=tuple(_runs_between(block.runs, start - first, end - first)),
                marker=block.marker if start <= first else "",
            )


def _runs_between(runs: tuple[Run, ...], start: int, end: int) -> Iterator[Run]:
    at = 0
    for run in runs:
        text = run.text[max(0, start - at) : max(0, end - at)]
        at += len(run.text)
        if text:
            yield replace(run, text=text)
