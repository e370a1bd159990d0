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
filled. A family's wording takes its statement from the type's name. The producer's own words come before
all of these (`own_words`).

A person's language comes before English in each of these rows: `de-CH/`, then `de/`, then none. So a wording
that has no translation is shown in English, and then all of its message is.

`<name>.email.html` is found in the same way, and takes precedence over `layouts/email.html`. Text is not
escaped, HTML is. The payload is context, never a template, and no template turns it into a link: only the
producer's own words have links, to the hosts that its source may link to.
"""

from dataclasses import dataclass, replace
from datetime import UTC, tzinfo
from functools import cache, lru_cache
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from notifications.events import Content
from notifications.rendering import published
from notifications.rendering.blocks import Body, as_text, shorten_body
from notifications.rendering.bounds import TemplateFailed
from notifications.rendering.conventions.dates import local_time
from notifications.rendering.layout import (
    EMPTY_LINES,
    MAX_TITLE_CHARS,
    Layouts,
    fill,
    lay_out,
    linked,
    links,
)
from notifications.rendering.lengths import cut_text
from notifications.rendering.locales import Locale, Using, current, gettext, languages, locale_in, locale_of
from notifications.rendering.own_words import OwnWords, compose, own_words
from notifications.rendering.payload import (
    Field,
    Payload,
    View,
    restore_spaces,
)
from notifications.rendering.published import Published, StoredWording, Wanted
from notifications.rendering.shipped import Choice, choose
from notifications.states import Channel, HoldReason, Priority
from notifications.transports import registry
from notifications.transports.base import Message
from notifications.transports.spec import ChannelSpec
from notifications.words import Block, Run
from users.locales import fallbacks

MAX_BODY_CHARS = 4_000
FIELDS_IN_TEXT, FIELDS_IN_TABLE = 12, 1_000

_SEPARATOR = " · "
_LONG_VALUE = 160
_REMARKS_AT_MOST = 5


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
    bare: bool = False,
) -> Message:
    """Render one event for one channel; total over JSON payloads, and over what operators wrote.

    Args:
        content: any field of its payload may be missing or of another type; its time is shown in its
            time zone (UTC if that is unknown).
        possible_duplicate: the outcome of an earlier send is unknown. The message says so, except on a
            channel whose client recognizes duplicates.
        wordings: stored ones; by default those that are published. One that fails is reported, and the
            shipped wording is used.
        bare: without the channel's layout, as a part of another message.

    Returns:
        A message whose `text` repeats the title on channels with a layout and is the body alone elsewhere.
        It is plain text: a transport with a markup of its own (Slack, Discord) escapes it.
    """
    spec = registry.spec(channel)
    wordings = published.current() if wordings is None else wordings
    has_title = content.words is not None and content.words.title  # then no wording is needed
    stored = _stored(content, spec, wordings) if wordings and not has_title else None
    if stored is None:
        with Using(_choice_of(content, spec).locale):
            return _render(content, spec, key, possible_duplicate, bare=bare)
    with Using(_locale_of_stored(stored.wording, content)):
        message = _render(content, spec, key, possible_duplicate, stored, bare=bare)
    return replace(message, template_version=stored.wording.version_id)


def outline(content: Content, channel: Channel) -> Message:
    """Return the title and the body of one event, as the channel words them, without the channel's layout."""
    return render(content, channel, key="", bare=True)


def _choice_of(content: Content, spec: ChannelSpec) -> Choice:
    return choose(content.event_type[:120], spec, content.locale[:16])


def _render(
    content: Content,
    spec: ChannelSpec,
    key: str,
    possible_duplicate: bool,
    stored: _Stored | None = None,
    *,
    bare: bool = False,
) -> Message:
    choice = _choice_of(content, spec)
    zone = zone_of(content.time_zone)
    words = own_words(
        content, has_wording=choice.own or (stored is not None and not stored.wording.of_family)
    )
    view = Payload(words.data if words else content.payload, View(zone, choice.amounts, spec.fit.shows_all))
    title, said = (stored.title, stored.body) if stored else _say(choice, view)
    body: Body = said
    if words is not None:
        title, body = _reworded(words, title, said, view, spec)
    body = body if spec.fit.shows_all else shorten_body(body, MAX_BODY_CHARS)
    may_repeat = possible_duplicate and not spec.confirms
    notice = _notice(content, may_repeat=may_repeat)
    if bare or choice.text is None:
        return linked(_bare(key, title, as_text(body), notice), words, body)

    values: dict[str, Any] = {
        "title": title,
        "heading": title,
        "body": body,
        "opens": False,
        "notice": notice,
        "critical": content.priority == Priority.CRITICAL,
        "language": current().tag,
        "when": local_time(content.timestamp_ms, zone),
        "fields": cache(lambda: _table(view, words, body)),  # only for layouts that show them
    }
    if words is not None:
        values |= links(words)
    return linked(lay_out(key, Layouts(choice.text, choice.html), values, spec.fit), words, body)


def link_remark(content: Content) -> str:
    """Return which links of the producer are shown as text, and why; "" if there are none."""
    spec = registry.spec(Channel.WEB)
    choice = _choice_of(content, spec)
    stored = published.current().choose(_wanted(content, choice, spec))
    words = own_words(content, has_wording=choice.own or (stored is not None and not stored.of_family))
    if words is None or not words.text_links:
        return ""
    found = dict.fromkeys(f"{link.field}: {link.reason}" for link in words.text_links)
    listed = "; ".join(islice(found, _REMARKS_AT_MOST))
    return f"Shown as text, not as a link: {listed}{' …' if len(found) > _REMARKS_AT_MOST else '.'}"


def _notice(content: Content, *, may_repeat: bool) -> str:
    """Return what the reader should know about the message itself."""
    said = []
    if content.pierces is HoldReason.QUIET_HOURS:
        said.append(gettext("Sent during your quiet hours because it is critical."))
    elif content.pierces is HoldReason.SEND_WINDOW:
        said.append(gettext("Sent outside the hours you chose because it is critical."))
    elif content.pierces is HoldReason.MUTED:
        said.append(gettext("Sent although you muted it because it is critical."))
    if may_repeat:
        said.append(gettext("You may have received this already."))
    return " ".join(said)


def _is_of_type(stored: _Stored | None) -> bool:
    return stored is not None and not stored.wording.of_family


def _bare(key: str, title: str, text: str, notice: str) -> Message:
    """Return the message for a channel without a layout."""
    return Message(key=key, title=title, text=f"{text}\n\n{notice}".strip() if notice else text)


def _reworded(
    words: OwnWords, title: str, body: str, view: Payload, spec: ChannelSpec
) -> tuple[str, tuple[Block, ...]]:
    """Return the title and the body with the producer's words. A title that is cut is in the body too."""
    whole, blocks = compose(words, title, body, lambda: _say(choose("", spec, current().tag), view)[1])
    whole = gettext("Simulated: %s") % whole if words.title and view.is_simulated() else whole
    shown = cut_text(whole, MAX_TITLE_CHARS)
    return shown, blocks if shown == whole else (Block((Run(whole),)), *blocks)


def _table(view: Payload, words: OwnWords | None, body: Body) -> list[Field]:
    """Return the fields for a table, without long values that the body has already."""
    if words is not None and words.alone:
        return []
    said = " ".join(as_text(body).split())
    fields = view.fields(FIELDS_IN_TABLE)
    return [field for field in fields if len(field.value) < _LONG_VALUE or field.value not in said]


def _stored(content: Content, spec: ChannelSpec, wordings: Published) -> _Stored | None:
    """Word the event by the template that operators published for it; None if none is usable."""
    choice = _choice_of(content, spec)
    wording = wordings.choose(_wanted(content, choice, spec))
    if wording is None:
        return None
    zone = zone_of(content.time_zone)
    view = Payload(content.payload, View(zone, choice.amounts, whole=spec.fit.shows_all))
    with Using(_locale_of_stored(wording, content)):
        try:
            title, body = wording.fill(_values(choice, view))
            title = " ".join(title.split())
            if not _tidy(title):
                raise TemplateFailed("empty", "its title is empty")
        except TemplateFailed as failure:
            wordings.failed(wording, failure)
            return None
        return _Stored(*_laid_out(choice, view, [title, *body.split("\n")]), wording)


def _wanted(content: Content, choice: Choice, spec: ChannelSpec) -> Wanted:
    return Wanted(choice.stems, spec.channel, _stored_locales(content.locale), has_file=choice.own)


def _locale_of_stored(wording: StoredWording, content: Content) -> Locale:
    return locale_in(wording.locale, content.locale) if wording.locale else locale_of(content.locale)


@lru_cache(maxsize=1024)
def _stored_locales(wish: str) -> tuple[str, ...]:
    """Return in which languages a stored wording precedes the shipped one: not behind the person's own."""
    tags = fallbacks(wish)
    first_shipped = next(place for place, tag in enumerate(tags) if tag in languages())
    return tags[: first_shipped + 1]


def _say(choice: Choice, view: Payload) -> tuple[str, str]:
    """Word the event by the shipped template."""
    return _laid_out(choice, view, fill(choice.wording, _values(choice, view)).split("\n"))


def _values(choice: Choice, view: Payload) -> dict[str, object]:
    return {"name": choice.name, "payload": view, "fields": lambda: view.fields(FIELDS_IN_TEXT)}


def _laid_out(choice: Choice, view: Payload, lines: list[str]) -> tuple[str, str]:
    """Return the first line as the title, and the others as a body without empty parts."""
    lines = [line for line in map(_tidy, lines) if line]
    title = " ".join(restore_spaces(lines[0]).split()) if lines else choice.name
    title = gettext("Simulated: %s") % title if view.is_simulated() else title
    body = EMPTY_LINES.sub("\n\n", restore_spaces("\n".join(lines[1:])))
    return cut_text(title, MAX_TITLE_CHARS), body


def _tidy(line: str) -> str:
    """Drop the separators and runs of spaces that missing values leave."""
    if _SEPARATOR in line:
        line = _SEPARATOR.join(part for part in line.split(_SEPARATOR) if part.strip(" "))
    while "  " in line:
        line = line.replace("  ", " ")
    return line.strip(" ")


@lru_cache(maxsize=1024)  # bounded: producers invent event types, and people time zones
def zone_of(name: str) -> tzinfo:
    """Return a person's time zone; UTC for a name that is none."""
    try:
        return ZoneInfo(name[:64])
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC
