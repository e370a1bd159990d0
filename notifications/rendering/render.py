"""Turn an event into the message that one channel shows.

Three steps: two templates, and then the channel's `Fit` (length, prefix of the title):

    wording/   what happened: the first line is the title, the others are the body
    layouts/   how a channel shows it: `telegram.html`, `email.html` and their plain versions

Templates for all channels are in `templates/` here, those of one channel in the folder that its declaration
names (`notifications/transports/<name>/templates/`). The wording of `ORDER_FILLED` on e-mail is the first of
these files that exists:

    order_filled.email.txt   order_filled.txt   the type, for the channel and for all
    order.email.txt          order.txt          its family: the name, word by word shorter
    default.email.txt        default.txt        any type, known or not

`<name>.email.html` is found in the same way, and takes precedence over `layouts/email.html`. Text is not
escaped, HTML is. The payload is context, never a template, and no template turns it into a link.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, tzinfo
from functools import cache, lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.template import Context, Engine
from django.template.base import Template

from notifications.events import Content
from notifications.rendering.wording import Payload, clean, local_time, restore_spaces, sentence, shorten
from notifications.states import Channel, Priority
from notifications.transports import registry
from notifications.transports.base import Message
from notifications.transports.spec import ChannelSpec

MAX_TITLE_CHARS = 150
MAX_BODY_CHARS = 4_000
FIELDS_IN_TEXT, FIELDS_IN_TABLE = 12, 24

_ROOT = Path(__file__).parent / "templates"
_NOTICE = "You may have received this already."
_SEPARATOR = " · "

_EMPTY_LINES = re.compile(r"\n\s*\n\s*\n")
_NAME_WORD = re.compile(r"[a-z0-9]+|[A-Z][a-z0-9]+|[A-Z0-9]+(?![a-z])")
_HTML_TOKEN = re.compile(r"<(?P<close>/?)(?P<tag>[a-z]+)[^>]*>|&#?\w+;|.", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Choice:
    """The templates of one event type on one channel, and the type's readable name."""

    name: str
    wording: Template
    text: Template | None
    html: Template | None


def render(content: Content, channel: Channel, *, key: str, possible_duplicate: bool = False) -> Message:
    """Render one event for one channel; pure, and total over JSON payloads.

    Args:
        content: any field of its payload may be missing or of another type; its time is shown in its
            time zone (UTC if that is unknown).
        possible_duplicate: the outcome of an earlier send is unknown. The message says so, except on a
            channel whose client recognizes duplicates.

    Returns:
        A message whose `text` repeats the title on channels with a layout and is the body alone elsewhere.
        It is plain text: a transport with a markup of its own (Slack, Discord) escapes it.
    """
    spec = registry.spec(channel)
    choice = _choose(content.event_type[:120], spec)
    zone = _zone(content.time_zone[:64])
    view = Payload(content.payload, zone)
    title, body = _say(choice, view)
    notice = _NOTICE if possible_duplicate and not spec.confirms else ""
    if choice.text is None:
        return Message(key=key, title=title, text=f"{body}\n\n{notice}".strip() if notice else body)

    values = {
        "title": title,
        "body": body,
        "notice": notice,
        "critical": content.priority == Priority.CRITICAL,
        "when": local_time(content.timestamp_ms, zone),
        "fields": cache(lambda: view.fields(FIELDS_IN_TABLE)),  # only for layouts that show them
    }
    return _lay_out(key, choice, values, spec)


def cut_text(text: str, limit: int) -> str:
    """Cut to at most `limit` UTF-16 units, between characters, with an ellipsis."""
    if _units(text) <= limit:
        return text
    kept = text.encode("utf-16-le")[: 2 * (limit - 1)].decode("utf-16-le", errors="ignore")
    return kept.rstrip() + "…"


def cut_html(html: str, limit: int) -> str:
    """Cut markup to at most `limit` UTF-16 units, between tags and entities, and close the open tags."""
    if _units(html) <= limit:
        return html
    kept: list[str] = []
    still_open: list[str] = []
    used = 1  # the ellipsis
    for token in _HTML_TOKEN.finditer(html):
        after = still_open
        if token["tag"]:
            after = still_open[:-1] if token["close"] else [*still_open, token["tag"]]
        size = _units(token[0])
        if used + size + sum(len(tag) + 3 for tag in after) > limit:
            break
        used, still_open = used + size, after
        kept.append(token[0])
    return "".join(kept).rstrip() + "…" + "".join(f"</{tag}>" for tag in reversed(still_open))


def _say(choice: _Choice, view: Payload) -> tuple[str, str]:
    """Word the event: one line of title, and a body without empty parts."""
    values = {
        "name": choice.name,
        "payload": view,
        "fields": lambda: view.fields(FIELDS_IN_TEXT),
    }
    lines = [line for line in map(_tidy, _fill(choice.wording, values).split("\n")) if line]
    title = " ".join(restore_spaces(lines[0]).split()) if lines else choice.name
    body = _EMPTY_LINES.sub("\n\n", restore_spaces("\n".join(lines[1:])))
    return shorten(title, MAX_TITLE_CHARS), shorten(body, MAX_BODY_CHARS)


def _lay_out(key: str, choice: _Choice, values: dict[str, Any], spec: ChannelSpec) -> Message:
    """Fill the channel's layouts and fit the message to the channel."""
    assert choice.text is not None
    title = values["title"]
    text = _EMPTY_LINES.sub("\n\n", _fill(choice.text, values)).strip()
    html = _fill(choice.html, values, autoescape=True).strip() if choice.html else ""
    fit = spec.fit
    if fit.max_units is not None:
        text, html = cut_text(text, fit.max_units), cut_html(html, fit.max_units)
    if fit.critical_prefix and values["critical"]:
        title = shorten(f"{fit.critical_prefix}{title}", MAX_TITLE_CHARS)
    return Message(key=key, title=title, text=text, html=html)


def _tidy(line: str) -> str:
    """Drop the separators and runs of spaces that missing values leave."""
    if _SEPARATOR in line:
        line = _SEPARATOR.join(part for part in line.split(_SEPARATOR) if part.strip(" "))
    while "  " in line:
        line = line.replace("  ", " ")
    return line.strip(" ")


def _fill(template: Template, values: dict[str, object], *, autoescape: bool = False) -> str:
    # A plain str: a SafeString would pass unescaped through the next template.
    return str.__str__(template.render(Context(values, autoescape=autoescape)))


def _units(text: str) -> int:
    return len(text) + sum(char > "\uffff" for char in text)


@lru_cache(maxsize=1024)  # bounded: producers invent event types, and people time zones
def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


@lru_cache(maxsize=1024)
def _choose(event_type: str, spec: ChannelSpec) -> _Choice:
    templates, suffix = _common_templates() | _own_templates(spec), spec.name

    def first(paths: list[str]) -> Template | None:
        return next((templates[path] for path in paths if path in templates), None)

    stems = list(_stems(event_type))
    wording = first([f"wording/{stem}{end}" for stem in stems for end in (f".{suffix}.txt", ".txt")])
    assert wording is not None, "wording/default.txt is missing"
    return _Choice(
        name=_name(event_type),
        wording=wording,
        text=templates[f"layouts/{suffix}.txt"] if spec.fit.has_layout else None,
        html=first([*(f"wording/{stem}.{suffix}.html" for stem in stems), f"layouts/{suffix}.html"])
        if spec.fit.has_markup
        else None,
    )


def _stems(event_type: str) -> Iterator[str]:
    """`norm.swap_demand` -> norm_swap_demand, norm_swap, norm, default."""
    words = [word.lower() for word in _NAME_WORD.findall(event_type)][:8]
    for count in range(len(words), 0, -1):
        yield "_".join(words[:count])
    yield "default"


def _name(event_type: str) -> str:
    """Name an event type: `norm.swap_demand` -> "Swap demand", `balance.update` -> "Balance update"."""
    parts = [part for part in event_type.split(".") if part]
    local = parts[-1:] if "_" in "".join(parts[-1:]) else parts[-2:]
    return " ".join(restore_spaces(clean(sentence(" ".join(local)))).split()) or "Notification"


@cache
def _common_templates() -> dict[str, Template]:
    return _compile(_ROOT)


@cache
def _own_templates(spec: ChannelSpec) -> dict[str, Template]:
    return _compile(spec.templates) if spec.templates else {}


def _compile(folder: Path) -> dict[str, Template]:
    """Compile every template of a folder, so that later nothing is read from the file system."""
    engine = Engine(dirs=[str(folder), str(_ROOT)], builtins=["notifications.rendering.wording"])
    paths = (path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*.*")))
    return {path: engine.get_template(path) for path in paths}
