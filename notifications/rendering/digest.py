"""Turn several events into one message: how many there are, and the list, the newest first."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from notifications.events import Content
from notifications.rendering.conventions.dates import local_time
from notifications.rendering.conventions.numbers import decimal
from notifications.rendering.layout import Layouts, lay_out
from notifications.rendering.lengths import units
from notifications.rendering.locales import Using, current, locale_of, ngettext
from notifications.rendering.render import outline, zone_of
from notifications.rendering.shipped import choose
from notifications.states import Channel
from notifications.transports import registry
from notifications.transports.base import Message
from notifications.transports.spec import ChannelSpec
from notifications.words import Block, Run, plain_text


class _Entry(NamedTuple):
    """One event's part of the list, and the stored wording that it was made from."""

    blocks: tuple[Block, ...]
    template_version: int | None


def render_digest(contents: Sequence[Content], channel: Channel, *, key: str) -> Message:
    """Render the events of one person for one channel, as one message.

    A channel with a longest length has the titles, as many as fit, and says how many are left out; another
    one has each event's title and body.
    """
    spec = registry.spec(channel)
    places = range(len(contents))
    newest_first = sorted(places, key=lambda at: (contents[at].timestamp_ms, contents[at].seq), reverse=True)
    entries = [_entry(contents[at], spec) for at in newest_first]
    with Using(locale_of(contents[0].locale)):
        title = _count(
            ngettext("%(count)s notification", "%(count)s notifications", len(entries)), len(entries)
        )
        message, shown = _fitted(key, title, entries, spec)
    versions = {at: one.template_version for at, one in zip(newest_first[:shown], entries, strict=False)}
    first, *others = map(versions.get, places)
    return replace(message, template_version=first, member_versions=tuple(others))


def _count(sentence: str, count: int) -> str:
    return sentence % {"count": decimal("", str(count))}


def _entry(content: Content, spec: ChannelSpec) -> _Entry:
    shown = outline(content, spec.channel)
    with Using(locale_of(content.locale)):
        when = local_time(content.timestamp_ms, zone_of(content.time_zone))
    head = (Run(shown.title, bold=True, url=shown.url), Run(f" · {when}"))
    if spec.fit.max_units is not None:
        return _Entry((Block(head, depth=1, marker="•", apart=False),), shown.template_version)
    body = shown.blocks or ((Block((Run(shown.text),)),) if shown.text else ())
    blocks = (Block(head, depth=1, marker="•"), *(_below(block) for block in body))
    return _Entry(blocks, shown.template_version)


def _below(block: Block) -> Block:
    """Return a block of an event's body below its line of the list."""
    return Block(block.runs, block.depth + 1, block.marker, block.code, apart=False)


def _fitted(key: str, title: str, entries: Sequence[_Entry], spec: ChannelSpec) -> tuple[Message, int]:
    """Return the message with as many entries as fit, and their number."""
    longest = spec.fit.max_units
    whole = _message(key, title, entries, 0, spec)
    if longest is None or _length(whole) <= longest:
        return whole, len(entries)
    fits, too_many = 0, len(entries)
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        shorter = _message(key, title, entries[:middle], len(entries) - middle, spec)
        fits, too_many = (middle, too_many) if _length(shorter) < longest else (fits, middle)
    return _message(key, title, entries[:fits], len(entries) - fits, spec), fits


def _length(message: Message) -> int:
    return max(units(message.text), units(message.html))


def _message(key: str, title: str, entries: Sequence[_Entry], left_out: int, spec: ChannelSpec) -> Message:
    blocks = tuple(block for entry in entries for block in entry.blocks)
    if left_out:
        more = _count(
            ngettext(
                "… and %(count)s more, which is in your inbox",
                "… and %(count)s more, which are in your inbox",
                left_out,
            ),
            left_out,
        )
        blocks += (Block((Run(more, italic=True),)),)
    choice = choose("", spec, current().tag)
    if choice.text is None:
        return Message(key=key, title=title, text=plain_text(blocks), blocks=blocks)
    values: dict[str, Any] = {
        "title": title,
        "heading": title,
        "url": "",
        "body": blocks,
        "opens": False,
        "notice": "",
        "critical": False,
        "language": current().tag,
        "when": "",
        "fields": [],
    }
    # Its length is chosen here, by whole entries.
    return lay_out(key, Layouts(choice.text, choice.html), values, replace(spec.fit, max_units=None))
