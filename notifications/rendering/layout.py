"""A channel's layout: its templates filled with title and body, and the result fitted to the channel."""

import re
from dataclasses import replace
from typing import Any, NamedTuple

from django.template import Context
from django.template.base import Template
from django.utils.safestring import mark_safe

from notifications.rendering.blocks import Body, shorten_body
from notifications.rendering.lengths import cut_html, cut_text, units
from notifications.rendering.locales import gettext
from notifications.rendering.own_words import OwnWords
from notifications.transports.base import Message
from notifications.transports.spec import Fit
from notifications.words import Action, Block, Run, plain_text

MAX_TITLE_CHARS = 150
EMPTY_LINES = re.compile(r"\n\s*\n\s*\n")

_SHORTER_BODIES = (3_000, 1_500, 600)


class Layouts(NamedTuple):
    text: Template
    html: Template | None


def lay_out(key: str, layouts: Layouts, values: dict[str, Any], fit: Fit) -> Message:
    """Fill the channel's layouts and fit the message to the channel."""
    title = values["title"]
    text, html = _fill_both(layouts, values, fit) if fit.max_units is None else _fitted(layouts, values, fit)
    if fit.critical_prefix and values["critical"]:
        title = cut_text(gettext(fit.critical_prefix) + title, MAX_TITLE_CHARS)
    return Message(key=key, title=title, text=text, html=html)


def linked(message: Message, words: OwnWords | None, body: Body) -> Message:
    """Return the message with what its words link to, for transports and clients that show it themselves."""
    if words is None or isinstance(body, str):
        return message
    return replace(message, url=words.url, image=words.image, actions=words.actions, blocks=body)


def links(words: OwnWords) -> dict[str, Any]:
    """Return what layouts show beside the text; `links` is for messages without buttons."""
    actions = [action for action in words.actions if action.url]
    if words.url and words.url not in {action.url for action in actions}:
        actions.insert(0, Action(gettext("Open"), words.url))
    opens = bool(actions or words.image)
    return {"opens": opens, "url": words.url, "image": words.image, "links": actions}


def _fitted(layouts: Layouts, values: dict[str, Any], fit: Fit) -> tuple[str, str]:
    """Fill the layouts; while they are too long, leave out more of the middle of the body."""
    assert fit.max_units is not None
    text, html = _fill_both(layouts, values, fit)
    for chars in _SHORTER_BODIES:
        if max(units(text), units(html)) <= fit.max_units:
            break
        text, html = _fill_both(layouts, values | {"body": shorten_body(values["body"], chars)}, fit)
    return cut_text(text, fit.max_units), cut_html(html, fit.max_units)


def _fill_both(layouts: Layouts, values: dict[str, Any], fit: Fit) -> tuple[str, str]:
    in_text = in_html = values
    if not isinstance(values["body"], str):
        in_text, in_html = _two_forms(values, fit)
    text = EMPTY_LINES.sub("\n\n", fill(layouts.text, in_text)).strip()
    return text, fill(layouts.html, in_html, autoescape=True).strip() if layouts.html else ""


def _two_forms(values: dict[str, Any], fit: Fit) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the values for a layout in plain text and for one in HTML, which has its own markup.

    `heading` is the title as a link to what the message opens.
    """
    blocks = values["body"]
    in_text = values | {"body": plain_text(blocks)}
    if fit.markup is None:
        return in_text, in_text
    heading = [Block((Run(values["title"], url=values["url"]),))]
    # Safe: `markup` escapes every text and every URL.
    marked = [mark_safe(fit.markup(part)) for part in (blocks, heading)]  # noqa: S308  # nosec B308 B703
    return in_text, values | {"body": marked[0], "heading": marked[1]}


def fill(template: Template, values: dict[str, Any], *, autoescape: bool = False) -> str:
    # A plain str: a SafeString would pass unescaped through the next template.
    return str.__str__(template.render(Context(values, autoescape=autoescape)))
