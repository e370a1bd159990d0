"""The producer's own words, where an event has some.

Those of the event's `content` are the whole message. A payload's `title`, `body`, `url`, `image` and
`actions` are words too, but only of a type without a wording of its own: elsewhere they are data.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from notifications.events import Content
from notifications.rendering import markdown
from notifications.rendering.lengths import shorten
from notifications.rendering.links import UnsafeLink, safe_url
from notifications.rendering.payload import clean, restore_spaces
from notifications.words import Action, ActionKind, Block, Run, Words

MAX_ACTIONS = 5
_LABEL_CHARS = 64
_TEXTS = ("title", "body", "url", "image")
_NAMES = frozenset((*_TEXTS, "actions"))
_KINDS = frozenset(ActionKind)


class TextLink(NamedTuple):
    """A link that is shown as text: the field that has it, and why it is none."""

    field: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnWords:
    """Words that can be shown: cleaned, and linked only to where the source may link.

    `alone`: they are the whole message. `data`: the fields of the payload that are not words.
    """

    title: str
    blocks: tuple[Block, ...]
    has_body: bool
    alone: bool
    data: Mapping[str, Any]
    url: str
    image: str
    actions: tuple[Action, ...]
    text_links: tuple[TextLink, ...]


class HasPayload(Protocol):
    @property
    def payload(self) -> Mapping[str, Any]: ...
    @property
    def words(self) -> Words | None: ...


def may_have_words(event: HasPayload) -> bool:
    """Return False for an event without words, whatever its type; that is most of them."""
    return event.words is not None or not _NAMES.isdisjoint(event.payload)


def own_words(content: Content, *, has_wording: bool) -> OwnWords | None:
    """Return the words of an event; None if it has none. `has_wording`: its type has one of its own."""
    payload = content.payload
    if content.words:
        given, alone = content.words, bool(content.words.title or content.words.body)
        return _checked(given, payload, content.link_hosts, alone=alone)
    if has_wording or not may_have_words(content):
        return None
    given = _of_payload(payload)
    if not given:
        return None
    used = given.to_json().keys()
    data = {name: value for name, value in payload.items() if name not in used}
    return _checked(given, data, content.link_hosts, alone=False)


def compose(
    words: OwnWords, title: str, body: str, fields: Callable[[], str]
) -> tuple[str, tuple[Block, ...]]:
    """Return a message's title and body: the words, and what they leave to say.

    `title` and `body` are those of the type's wording, `fields` its data as a list. Words from a payload may
    be data after all (the title of a book), so without a title or a body the wording says what happened.
    """
    rest = body
    if words.alone:
        rest = ""
    elif words.title and words.has_body:
        rest = fields()
    elif words.title and title.casefold() != words.title.casefold():
        rest = f"{title}\n{body}".strip()
    blocks = (*words.blocks, Block((Run(rest),))) if rest else words.blocks
    return words.title or title, blocks


def _of_payload(payload: Mapping[str, Any]) -> Words:
    """Return the fields of a payload that have the form of words. A list of names, say, is no actions."""
    texts = {name: payload.get(name) for name in _TEXTS}
    words = {name: text for name, text in texts.items() if isinstance(text, str) and _one_line(text)}
    return Words(**words, actions=_actions(payload.get("actions")))


def _actions(value: object) -> tuple[Action, ...]:
    """Return a list of actions; none if one of its items is not an action, or there are too many."""
    if not isinstance(value, list) or len(value) > MAX_ACTIONS:
        return ()
    found = [_action(item) for item in value]
    return tuple(action for action in found if action) if all(found) else ()


def _action(item: object) -> Action | None:
    if not isinstance(item, Mapping) or item.keys() - {"label", "url", "kind"}:
        return None
    label, url, kind = item.get("label"), item.get("url", ""), item.get("kind", ActionKind.LINK)
    if not isinstance(label, str) or not isinstance(url, str) or kind not in _KINDS:
        return None
    action = Action(label, url, ActionKind(kind))
    return action if _one_line(label) and (url or action.is_acknowledge) else None


class _LinkCheck:
    """Checks the links of one event, and notes those that are shown as text."""

    def __init__(self, hosts: tuple[str, ...]) -> None:
        self._hosts = hosts
        self.lines: list[str] = []
        self.text_links: list[TextLink] = []

    def blocks(self, body: str) -> tuple[Block, ...]:
        blocks, refused = markdown.resolve(markdown.parse(body), self._hosts)
        self.text_links += [TextLink("body", reason) for reason in refused]
        return blocks

    def url(self, url: str, name: str, label: str = "") -> str:
        """Return the URL to link to, "" if there is none."""
        try:
            return safe_url(url, self._hosts) if url else ""
        except UnsafeLink as error:
            self.text_links.append(TextLink(name, error.reason))
            self.lines.append(f"{label}: {_one_line(url)}" if label else _one_line(url))
            return ""

    def actions(self, actions: tuple[Action, ...]) -> Iterator[Action]:
        for position, action in enumerate(actions):
            label = shorten(_one_line(action.label), _LABEL_CHARS)
            url = "" if action.is_acknowledge else self.url(action.url, f"actions[{position}].url", label)
            if url or action.is_acknowledge:
                yield Action(label, url, action.kind)


def _checked(words: Words, data: Mapping[str, Any], hosts: tuple[str, ...], *, alone: bool) -> OwnWords:
    links = _LinkCheck(hosts)
    blocks = links.blocks(restore_spaces(clean(words.body)))
    url, image = links.url(words.url, "url"), links.url(words.image, "image")
    actions = tuple(links.actions(words.actions))
    as_text = (Block((Run("\n".join(links.lines)),)),) if links.lines else ()
    return OwnWords(
        title=_one_line(words.title),
        blocks=blocks + as_text,
        has_body=bool(blocks),
        alone=alone,
        data=data,
        url=url,
        image=image,
        actions=actions,
        text_links=tuple(links.text_links),
    )


def _one_line(text: str) -> str:
    return " ".join(restore_spaces(clean(text)).split())
