"""A producer's own words, and the blocks of text that the channels show of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class ActionKind(StrEnum):
    LINK = "link"
    ACKNOWLEDGE = "acknowledge"


@dataclass(frozen=True, slots=True)
class Action:
    """A button: it opens `url`, or acknowledges the event."""

    label: str
    url: str = ""
    kind: ActionKind = ActionKind.LINK

    @property
    def is_acknowledge(self) -> bool:
        return self.kind is ActionKind.ACKNOWLEDGE

    def to_json(self) -> dict[str, str]:
        if self.is_acknowledge:
            return {"label": self.label, "kind": self.kind.value}
        return {"label": self.label, "url": self.url}


@dataclass(frozen=True, slots=True)
class Words:
    """What a message says, as the producer wrote it: `body` is Markdown, and no URL is checked yet."""

    title: str = ""
    body: str = ""
    url: str = ""
    image: str = ""
    actions: tuple[Action, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.title or self.body or self.url or self.image or self.actions)

    def to_json(self) -> dict[str, Any]:
        """Return the fields that are set."""
        texts = {"title": self.title, "body": self.body, "url": self.url, "image": self.image}
        found: dict[str, Any] = {name: text for name, text in texts.items() if text}
        return found | {"actions": [action.to_json() for action in self.actions]} if self.actions else found

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "Words":
        actions = (
            Action(item["label"], item.get("url", ""), ActionKind(item.get("kind", ActionKind.LINK)))
            for item in stored.get("actions", ())
        )
        return cls(**{**stored, "actions": tuple(actions)})


@dataclass(frozen=True, slots=True)
class Run:
    """A piece of text in one style, without control characters but `\\n`."""

    text: str
    bold: bool = False
    italic: bool = False
    code: bool = False
    url: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the text, and what is not plain about it."""
        styles = {"bold": self.bold, "italic": self.italic, "code": self.code, "url": self.url}
        return {"text": self.text} | {name: style for name, style in styles.items() if style}


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, a part of a list (`depth` above 0; its first part has a `marker`), or lines of code."""

    runs: tuple[Run, ...] = ()
    depth: int = 0
    marker: str = ""
    code: bool = False
    apart: bool = True  # an empty line comes before it

    @property
    def text(self) -> str:
        return "".join(run.text for run in self.runs)

    @property
    def indent(self) -> str:
        """What stands before each line after the first."""
        return "  " * self.depth

    @property
    def lead(self) -> str:
        """What stands before the first line."""
        return f"{'  ' * (self.depth - 1)}{self.marker} " if self.marker else self.indent

    def to_json(self) -> dict[str, Any]:
        kind = "code" if self.code else "item" if self.depth else "paragraph"
        found: dict[str, Any] = {"type": kind, "runs": [run.to_json() for run in self.runs]}
        return found | {"depth": self.depth, "marker": self.marker} if self.depth else found


def before(block: Block, *, first: bool) -> str:
    """Return what separates a block from the one before it."""
    return "" if first else "\n\n" if block.apart else "\n"


def plain_text(blocks: Iterable[Block]) -> str:
    """Return the blocks as plain text; a link is shown as `label (https://…)`."""
    parts: list[str] = []
    for block in blocks:
        text = "".join(plain_runs(block.runs)).replace("\n", f"\n{block.indent}")
        parts.append(f"{before(block, first=not parts)}{block.lead}{text}".rstrip(" "))
    return "".join(parts)


def plain_runs(runs: tuple[Run, ...]) -> Iterable[str]:
    """Yield the texts; after each link its URL, unless the label is the URL itself."""
    label = ""
    for run, following in zip(runs, (*runs, Run(""))[1:], strict=True):
        yield run.text
        label = label + run.text if run.url else ""
        if run.url and run.url != following.url:
            if label != run.url:
                yield f" ({run.url})"
            label = ""
