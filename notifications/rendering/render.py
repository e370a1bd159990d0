"""Turn an event into the message that one channel will show.

Three steps, each of them a template under `templates/`:

    wording/   what is said: the first line is the title, the others are the body
    layouts/   how a channel shows it: `telegram.html`, `email.html` and their plain versions
    cut        what a provider would refuse for its length

The wording of `ORDER_FILLED` on e-mail is the first of these files that exists:

    order_filled.email.txt   order_filled.txt   the type, for the channel and for all
    order.email.txt          order.txt          its family: the name, word by word shorter
    default.email.txt        default.txt        any type, known or not

`<name>.email.html` is looked for likewise, before `layouts/email.html`. Text is not escaped, HTML is. The
payload is context, never a template, and no template makes a link of it.
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
from notifications.rendering.wording import Payload, clean, local_time, restore, sentence, shorten
from notifications.states import Channel, Priority
from notifications.transports.base import Message

MAX_TITLE_CHARS = 150
MAX_BODY_CHARS = 4_000
MAX_TELEGRAM_UNITS = 4_096  # UTF-16 units: https://core.telegram.org/bots/api#sendmessage
FIELDS_IN_TEXT, FIELDS_IN_TABLE = 12, 24

_ROOT = Path(__file__).parent / "templates"
_NOTICE = "You may have received this already."
_LIVE = frozenset({Channel.WEB, Channel.ACTIVE_SESSION})  # the page knows its duplicates by `seq`
_SEPARATOR = " · "

_EMPTY_LINES = re.compile(r"\n\s*\n\s*\n")
_NAME_WORD = re.compile(r"[a-z0-9]+|[A-Z][a-z0-9]+|[A-Z0-9]+(?![a-z])")
_HTML_TOKEN = re.compile(r"<(?P<close>/?)(?P<tag>[a-z]+)[^>]*>|&#?\w+;|.", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Choice:
    """The templates of one event type on one channel, and the name to give it when they have none."""

    name: str
    wording: Template
    text: Template | None
    html: Template | None


def render(content: Content, channel: Channel, *, key: str, possible_duplicate: bool = False) -> Message:
    """Render one event for one channel; pure, and total over JSON payloads.

    Args:
        content: any field of its payload may be missing or of another kind; its time is shown in its
            time zone, or in UTC when that is unknown.
        possible_duplicate: a try whose outcome is unknown went before: external channels say so.

    Returns:
        A message whose `text` repeats the title on TELEGRAM and EMAIL and is the body alone elsewhere.
        It is plain text: a transport with a markup of its own (Slack, Discord) escapes it.
    """
    choice = _choose(content.event_type[:120], channel)
    zone = _zone(content.time_zone[:64])
    view = Payload(content.payload, zone)
    title, body = _say(choice, view)
    notice = _NOTICE if possible_duplicate and channel not in _LIVE else ""
    if choice.text is None:
        return Message(key=key, title=title, text=f"{body}\n\n{notice}".strip() if notice else body)

    values = {
        "title": title,
        "body": body,
        "notice": notice,
        "critical": content.priority == Priority.CRITICAL,
        "when": local_time(content.timestamp_ms, zone),
        "fields": cache(lambda: view.fields(FIELDS_IN_TABLE)),  # only for the layouts that ask
    }
    return _lay_out(key, choice, values, channel)


def cut_text(text: str, limit: int) -> str:
    """Cut to at most `limit` UTF-16 units, between characters, with an ellipsis."""
    if _units(text) <= limit:
        return text
    kept = text.encode("utf-16-le")[: 2 * (limit - 1)].decode("utf-16-le", errors="ignore")
    return kept.rstrip() + "…"


def cut_html(html: str, limit: int) -> str:
    """Cut markup to at most `limit` UTF-16 units, between tags and entities, and close what is open."""
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
    title = " ".join(restore(lines[0]).split()) if lines else choice.name
    body = _EMPTY_LINES.sub("\n\n", restore("\n".join(lines[1:])))
    return shorten(title, MAX_TITLE_CHARS), shorten(body, MAX_BODY_CHARS)


def _lay_out(key: str, choice: _Choice, values: dict[str, Any], channel: Channel) -> Message:
    """Show the event as its channel does: text, and HTML where there is a layout for it."""
    assert choice.text is not None
    title = values["title"]
    text = _EMPTY_LINES.sub("\n\n", _fill(choice.text, values)).strip()
    html = _fill(choice.html, values, autoescape=True).strip() if choice.html else ""
    if channel == Channel.TELEGRAM:
        text, html = cut_text(text, MAX_TELEGRAM_UNITS), cut_html(html, MAX_TELEGRAM_UNITS)
    if channel == Channel.EMAIL and values["critical"]:
        title = shorten(f"Critical: {title}", MAX_TITLE_CHARS)
    return Message(key=key, title=title, text=text, html=html)


def _tidy(line: str) -> str:
    """Drop what missing values leave behind: separators with nothing between, runs of spaces."""
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


@lru_cache(maxsize=1024)  # bounded: producers make up event types and people time zones
def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


@lru_cache(maxsize=1024)
def _choose(event_type: str, channel: Channel) -> _Choice:
    templates, suffix = _templates(), channel.name.lower()

    def first(paths: list[str]) -> Template | None:
        return next((templates[path] for path in paths if path in templates), None)

    stems = list(_stems(event_type))
    wording = first([f"wording/{stem}{end}" for stem in stems for end in (f".{suffix}.txt", ".txt")])
    assert wording is not None, "wording/default.txt is missing"
    return _Choice(
        name=_name(event_type),
        wording=wording,
        text=templates.get(f"layouts/{suffix}.txt"),
        html=first(
            [
                *(f"wording/{stem}.{suffix}.html" for stem in stems),
                f"layouts/{suffix}.html",
            ]
        ),
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
    return " ".join(restore(clean(sentence(" ".join(local)))).split()) or "Notification"


@cache
def _templates() -> dict[str, Template]:
    """Compile every template once: after this, nothing is looked up in the file system."""
    engine = Engine(dirs=[str(_ROOT)], builtins=["notifications.rendering.wording"])
    paths = (path.relative_to(_ROOT).as_posix() for path in sorted(_ROOT.rglob("*.*")))
    return {path: engine.get_template(path) for path in paths}
