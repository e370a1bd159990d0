"""The shipped templates: which files word and lay out an event type on a channel (docs/templates.md)."""

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from django.template import Engine
from django.template.base import Template

from notifications.rendering import vocabulary
from notifications.rendering.amounts import amounts_of
from notifications.rendering.locales import Locale, Using, gettext, locale_in
from notifications.rendering.payload import clean, restore_spaces
from notifications.rendering.vocabulary import sentence
from notifications.transports.spec import ChannelSpec
from users.locales import DEFAULT, fallbacks

_ROOT = Path(__file__).parent / "templates"
_INCLUDE = re.compile(r"""\{% include ["'](?P<path>[\w/.]+)["'] %\}""")
_NAME_WORD = re.compile(r"[a-z0-9]+|[A-Z][a-z0-9]+|[A-Z0-9]+(?![a-z])")


@dataclass(frozen=True, slots=True)
class Choice:
    """The templates of one event type on one channel, and the type's readable name.

    `own`: the wording is the type's own, not that of its family or of any type.
    """

    name: str
    stems: tuple[str, ...]
    own: bool
    amounts: frozenset[str]
    locale: Locale  # of the wording, with the conventions of the person's region
    wording: Template
    text: Template | None
    html: Template | None


@lru_cache(maxsize=4096)  # bounded: producers invent event types, and people may have any locale
def choose(event_type: str, spec: ChannelSpec, wish: str = DEFAULT) -> Choice:
    """Choose the most specific wording, and of that the nearest language to the person's."""
    templates, suffix, languages = _common_templates() | _own_templates(spec), spec.name, fallbacks(wish)

    def first(names: list[str], ends: tuple[str, ...]) -> tuple[Template, str] | None:
        paths = [(f"{_folder(tag)}{name}{end}", tag) for name in names for tag in languages for end in ends]
        return next(((templates[path], tag) for path, tag in paths if path in templates), None)

    stems = _stems(event_type)
    own, families = stems[:1], [f"families/{stem}" for stem in stems]
    ends = (f".{suffix}.txt", ".txt")
    lent, named = first(families, ends), first(own, ends)
    found = named or lent or first(["default"], ends)
    assert found is not None, "wording/default.txt is missing"
    wording, language = found
    html = first(own + families, (f".{suffix}.html",))
    locale = locale_in(language, wish)
    with Using(locale):
        name = _name(event_type, whole=lent is not None)
    return Choice(
        name=name,
        stems=tuple(stems),
        own=named is not None,
        amounts=amounts_of(stems),
        locale=locale,
        wording=wording,
        text=templates[f"layouts/{suffix}.txt"] if spec.fit.has_layout else None,
        html=(html[0] if html else templates.get(f"layouts/{suffix}.html")) if spec.fit.has_markup else None,
    )


def _folder(language: str) -> str:
    return "wording/" if language == DEFAULT else f"wording/{language}/"


def source(event_type: str, spec: ChannelSpec, wish: str) -> str:
    """Return the wording of an event type as it is written, with the parts that it includes."""
    templates = _common_templates() | _own_templates(spec)
    text = choose(event_type, spec, wish).wording.source
    while (part := _INCLUDE.search(text)) is not None:
        text = text.replace(part[0], templates[part["path"]].source.rstrip("\n"))
    return text


def stem_of(event_type: str) -> str:
    """Return the name by which wordings are found: `order.filled` and `ORDER_FILLED` -> order_filled."""
    return next(iter(_stems(event_type)), "")


def _stems(event_type: str) -> list[str]:
    """`norm.swap_demand` -> norm_swap_demand, norm_swap, norm."""
    words = [word.lower() for word in _NAME_WORD.findall(event_type)]
    return ["_".join(words[:count]) for count in range(len(words), 0, -1)]


def _name(event_type: str, *, whole: bool) -> str:
    """Name an event type: `norm.swap_demand` -> "Swap demand", or `whole` "Norm swap demand"."""
    if name := vocabulary.event_type(event_type):
        return name
    parts = [part for part in event_type.split(".") if part]
    if not whole:
        parts = parts[-1:] if "_" in "".join(parts[-1:]) else parts[-2:]
    return " ".join(restore_spaces(clean(sentence(" ".join(parts)))).split()) or gettext("Notification")


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
