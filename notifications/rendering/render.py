"""Turn an event into the message that one channel shows.

Three steps: two templates, and then the channel's `Fit` (length, prefix of the title):

    wording/   what happened: the first line is the title, the others are the body
    layouts/   how a channel shows it: `telegram.html`, `email.html` and their plain versions

Templates for all channels are in `templates/` here, those of one channel in the folder that its declaration
names (`notifications/transports/<name>/templates/`). The wording of `ORDER_FILLED` on e-mail is the first of
these files that exists:

    order_filled.email.txt     order_filled.txt     the type, for the channel and for all
    families/order.email.txt   families/order.txt   its family: the name, word by word shorter
    default.email.txt          default.txt          any type, known or not

A wording says that something happened, so it serves its own type only: `order.filled.simulated` is not
filled. A family's wording takes its statement from the type's name.

`<name>.email.html` is found in the same way, and takes precedence over `layouts/email.html`. Text is not
escaped, HTML is. The payload is context, never a template, and no template turns it into a link.
"""

import re
from dataclasses import dataclass, replace
from datetime import UTC, tzinfo
from functools import cache, lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.template import Context, Engine
from django.template.base import Template

from notifications.events import Content
from notifications.rendering import published
from notifications.rendering.amounts import amounts_of
from notifications.rendering.bounds import TemplateFailed
from notifications.rendering.lengths import cut_html, cut_text, shorten, units
from notifications.rendering.locales import Locale, current, gettext, languages, locale_in, locale_of, using
from notifications.rendering.payload import (
    Field,
    Payload,
    View,
    clean,
    local_time,
    restore_spaces,
    sentence,
)
from notifications.rendering.published import Published, StoredWording, Wanted
from notifications.states import Channel, Priority
from notifications.transports import registry
from notifications.transports.base import Message
from notifications.transports.spec import ChannelSpec
from users.locales import fallbacks

MAX_TITLE_CHARS = 150
MAX_BODY_CHARS = 4_000
FIELDS_IN_TEXT, FIELDS_IN_TABLE = 12, 1_000

_ROOT = Path(__file__).parent / "templates"
_SEPARATOR = " · "
_LONG_VALUE = 160
_SHORTER_BODIES = (3_000, 1_500, 600)

_EMPTY_LINES = re.compile(r"\n\s*\n\s*\n")
_NAME_WORD = re.compile(r"[a-z0-9]+|[A-Z][a-z0-9]+|[A-Z0-9]+(?![a-z])")


@dataclass(frozen=True, slots=True)
class _Choice:
    """The templates of one event type on one channel, and the type's readable name."""

    name: str
    stems: tuple[str, ...]
    own: bool  # the wording is the type's own, not that of its family or of any type
    amounts: frozenset[str]
    wording: Template
    text: Template | None
    html: Template | None


@dataclass(frozen=True, slots=True)
class _Stored:
    """What a stored wording says of one event."""

    title: str
    body: str
    wording: StoredWording


def render(
    content: Content,
    channel: Channel,
    *,
    key: str,
    possible_duplicate: bool = False,
    wordings: Published | None = None,
) -> Message:
    """Render one event for one channel; total over JSON payloads, and over what operators wrote.

    Args:
        content: any field of its payload may be missing or of another type; its time is shown in its
            time zone (UTC if that is unknown).
        possible_duplicate: the outcome of an earlier send is unknown. The message says so, except on a
            channel whose client recognizes duplicates.
        wordings: stored ones; by default those that are published. One that fails is reported, and the
            shipped wording is used.

    Returns:
        A message whose `text` repeats the title on channels with a layout and is the body alone elsewhere.
        It is plain text: a transport with a markup of its own (Slack, Discord) escapes it.
    """
    spec = registry.spec(channel)
    wordings = published.current() if wordings is None else wordings
    stored = _stored(content, spec, wordings) if wordings else None
    if stored is None:
        with using(locale_of(content.locale)):
            return _render(content, spec, key, possible_duplicate)
    with using(_locale_of_stored(stored.wording, content)):
        message = _render(content, spec, key, possible_duplicate, stored)
    return replace(message, template_version=stored.wording.version_id)


def _render(
    content: Content, spec: ChannelSpec, key: str, possible_duplicate: bool, stored: _Stored | None = None
) -> Message:
    choice = _choose(content.event_type[:120], spec)
    zone = _zone(content.time_zone[:64])
    view = Payload(content.payload, View(zone, choice.amounts, whole=spec.fit.shows_all))
    title, body = (stored.title, stored.body) if stored else _say(choice, view)
    body = body if spec.fit.shows_all else shorten(body, MAX_BODY_CHARS)
    may_repeat = possible_duplicate and not spec.confirms
    notice = gettext("You may have received this already.") if may_repeat else ""
    if choice.text is None:
        return Message(key=key, title=title, text=f"{body}\n\n{notice}".strip() if notice else body)

    values = {
        "title": title,
        "body": body,
        "notice": notice,
        "critical": content.priority == Priority.CRITICAL,
        "language": current().tag,
        "when": local_time(content.timestamp_ms, zone),
        "fields": cache(lambda: _table(view, body)),  # only for layouts that show them
    }
    return _lay_out(key, choice, values, spec)


def _table(view: Payload, body: str) -> list[Field]:
    """Return the fields for a table, without long values that the body has already."""
    said = " ".join(body.split())
    fields = view.fields(FIELDS_IN_TABLE)
    return [field for field in fields if len(field.value) < _LONG_VALUE or field.value not in said]


def _stored(content: Content, spec: ChannelSpec, wordings: Published) -> _Stored | None:
    """Word the event by the template that operators published for it; None if none is usable."""
    choice = _choose(content.event_type[:120], spec)
    wanted = Wanted(choice.stems, spec.channel, _stored_locales(content.locale), has_file=choice.own)
    wording = wordings.choose(wanted)
    if wording is None:
        return None
    zone = _zone(content.time_zone[:64])
    view = Payload(content.payload, View(zone, choice.amounts, whole=spec.fit.shows_all))
    with using(_locale_of_stored(wording, content)):
        try:
            title, body = wording.fill(_values(choice, view))
            title = " ".join(title.split())
            if not _tidy(title):
                raise TemplateFailed("empty", "its title is empty")
        except TemplateFailed as failure:
            wordings.failed(wording, failure)
            return None
        return _Stored(*_laid_out(choice, view, [title, *body.split("\n")]), wording)


def _locale_of_stored(wording: StoredWording, content: Content) -> Locale:
    return locale_in(wording.locale, content.locale) if wording.locale else locale_of(content.locale)


@lru_cache(maxsize=1024)
def _stored_locales(wish: str) -> tuple[str, ...]:
    """Return in which languages a stored wording precedes the shipped one: not behind the person's own."""
    tags = fallbacks(wish)
    first_shipped = next(place for place, tag in enumerate(tags) if tag in languages())
    return tags[: first_shipped + 1]


def _say(choice: _Choice, view: Payload) -> tuple[str, str]:
    """Word the event by the shipped template."""
    return _laid_out(choice, view, _fill(choice.wording, _values(choice, view)).split("\n"))


def _values(choice: _Choice, view: Payload) -> dict[str, object]:
    return {"name": choice.name, "payload": view, "fields": lambda: view.fields(FIELDS_IN_TEXT)}


def _laid_out(choice: _Choice, view: Payload, lines: list[str]) -> tuple[str, str]:
    """Return the first line as the title, and the others as a body without empty parts."""
    lines = [line for line in map(_tidy, lines) if line]
    title = " ".join(restore_spaces(lines[0]).split()) if lines else choice.name
    title = gettext("Simulated: %s") % title if view.is_simulated() else title
    body = _EMPTY_LINES.sub("\n\n", restore_spaces("\n".join(lines[1:])))
    return cut_text(title, MAX_TITLE_CHARS), body


def _lay_out(key: str, choice: _Choice, values: dict[str, Any], spec: ChannelSpec) -> Message:
    """Fill the channel's layouts and fit the message to the channel."""
    title, fit = values["title"], spec.fit
    text, html = (
        _fill_layouts(choice, values) if fit.max_units is None else _fitted(choice, values, fit.max_units)
    )
    if fit.critical_prefix and values["critical"]:
        title = cut_text(gettext(fit.critical_prefix) + title, MAX_TITLE_CHARS)
    return Message(key=key, title=title, text=text, html=html)


def _fitted(choice: _Choice, values: dict[str, Any], max_units: int) -> tuple[str, str]:
    """Fill the layouts; while they are too long, leave out more of the middle of the body."""
    text, html = _fill_layouts(choice, values)
    for chars in _SHORTER_BODIES:
        if max(units(text), units(html)) <= max_units:
            break
        text, html = _fill_layouts(choice, values | {"body": shorten(values["body"], chars)})
    return cut_text(text, max_units), cut_html(html, max_units)


def _fill_layouts(choice: _Choice, values: dict[str, Any]) -> tuple[str, str]:
    assert choice.text is not None
    text = _EMPTY_LINES.sub("\n\n", _fill(choice.text, values)).strip()
    return text, _fill(choice.html, values, autoescape=True).strip() if choice.html else ""


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

    stems = _stems(event_type)
    own, families = stems[:1], [f"families/{stem}" for stem in stems]
    ends = (f".{suffix}.txt", ".txt")
    lent = first([f"wording/{name}{end}" for name in families for end in ends])
    named = first([f"wording/{name}{end}" for name in own for end in ends])
    wording = named or lent or first([f"wording/default{end}" for end in ends])
    assert wording is not None, "wording/default.txt is missing"
    html = [*(f"wording/{name}.{suffix}.html" for name in own + families), f"layouts/{suffix}.html"]
    return _Choice(
        name=_name(event_type, whole=lent is not None),
        stems=tuple(stems),
        own=named is not None,
        amounts=amounts_of(stems),
        wording=wording,
        text=templates[f"layouts/{suffix}.txt"] if spec.fit.has_layout else None,
        html=first(html) if spec.fit.has_markup else None,
    )


def stem_of(event_type: str) -> str:
    """Return the name by which wordings are found: `order.filled` and `ORDER_FILLED` -> order_filled."""
    return next(iter(_stems(event_type)), "")


def _stems(event_type: str) -> list[str]:
    """`norm.swap_demand` -> norm_swap_demand, norm_swap, norm."""
    words = [word.lower() for word in _NAME_WORD.findall(event_type)]
    return ["_".join(words[:count]) for count in range(len(words), 0, -1)]


def _name(event_type: str, *, whole: bool) -> str:
    """Name an event type: `norm.swap_demand` -> "Swap demand", or `whole` "Norm swap demand"."""
    parts = [part for part in event_type.split(".") if part]
    if not whole:
        parts = parts[-1:] if "_" in "".join(parts[-1:]) else parts[-2:]
    return " ".join(restore_spaces(clean(sentence(" ".join(parts)))).split()) or "Notification"


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
