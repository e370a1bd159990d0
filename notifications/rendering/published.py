"""The published templates as this process knows them: read from Postgres every few seconds, compiled once.

Published versions never change, so the query asks only which of them are in use. The gateway and the workers
call `refresh` after a statement of a batch has succeeded: one short query in `EVERY_S` for a process, none
for an event, and no further wait for a Postgres that is away.
"""

import logging
import re
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from notifications.models import MessageTemplate, TemplateVersion
from notifications.rendering import failures
from notifications.rendering.bounds import Budget, TemplateFailed
from notifications.rendering.payload import LINE
from notifications.rendering.sandbox import InvalidTemplate, SandboxTemplate, compile_source
from notifications.states import Channel

log = logging.getLogger(__name__)

EVERY_S = 2.0
# An empty line that was written is a paragraph; one that a missing value leaves is dropped by the layout.
_EMPTY_LINE = re.compile(r"\n[ \t]*(?=\n)")
_CHOICES_AT_MOST = 4_096  # producers invent event types

# What a template is for: a stem, whether of a family, a channel and a language; None and "": all of them.
Key = tuple[str, bool, int | None, str]


@dataclass(frozen=True, slots=True)
class StoredWording:
    """A title and a body that an operator wrote. `version_id` is 0 for a draft."""

    title: str
    body: str
    locale: str = ""  # "": the same words for every language
    version_id: int = 0
    label: str = "draft"
    of_family: bool = False  # for every type of a family, whose producers may have words of their own

    def fill(self, values: Mapping[str, Any]) -> tuple[str, str]:
        """Return the title and the body, before their layout. Raises: `TemplateFailed`."""
        try:
            title, body = _compiled(self.title), _compiled(_EMPTY_LINE.sub(f"\n{LINE}", self.body))
        except InvalidTemplate as error:  # of a release that knew more tags
            raise TemplateFailed("error", error.text) from error
        budget = Budget()
        return title.fill(values, budget), body.fill(values, budget)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a message needs a wording for. `locales`: from the most to the least specific."""

    stems: tuple[str, ...]  # `order_filled`, `order`
    channel: Channel
    locales: tuple[str, ...]
    has_file: bool  # there is a shipped wording of this very type, which precedes those of families

    def keys(self) -> Iterator[Key]:
        """Yield where to look, first things first: type before family, channel before language."""
        families = () if self.has_file else self.stems
        for stem, is_family in [*((stem, False) for stem in self.stems[:1]), *((s, True) for s in families)]:
            for channel in (int(self.channel), None):
                for locale in (*self.locales, ""):
                    yield stem, is_family, channel, locale


class Published:
    """The wordings in use at one moment."""

    def __init__(self, wordings: Mapping[Key, StoredWording]) -> None:
        self.wordings = wordings
        self._chosen: dict[Wanted, StoredWording | None] = {}

    def __bool__(self) -> bool:
        return bool(self.wordings)

    def choose(self, wanted: Wanted) -> StoredWording | None:
        """Return the wording for a message; None: the shipped one."""
        if wanted not in self._chosen:
            if len(self._chosen) >= _CHOICES_AT_MOST:
                self._chosen.clear()
            found = map(self.wordings.get, wanted.keys())
            self._chosen[wanted] = next((one for one in found if one is not None), None)
        wording = self._chosen[wanted]
        return None if wording is None or failures.is_suspended(wording.version_id) else wording

    def failed(self, wording: StoredWording, failure: TemplateFailed) -> None:
        """Take note that a wording could not be used: the message gets the shipped one."""
        failures.note(wording.version_id, wording.label, failure)

    def version_ids(self) -> set[int]:
        return {wording.version_id for wording in self.wordings.values()}


_lock = threading.Lock()
_published = Published({})
_read_at_s = float("-inf")


def current() -> Published:
    return _published


def refresh(*, at_s: float | None = None) -> None:
    """Read which versions are in use, if that was not done lately. Never raises: the last known stay.

    `at_s`: the monotonic time, if it is not now.
    """
    global _read_at_s
    at_s = time.monotonic() if at_s is None else at_s
    if at_s - _read_at_s < EVERY_S or not _lock.acquire(blocking=False):
        return
    try:
        _read_at_s = at_s
        read()
    except Exception as error:  # Postgres went away, or the migration has not run yet
        log.warning("templates_not_read", extra={"error": type(error).__name__})
    finally:
        _lock.release()


def read() -> None:
    """Read which versions are in use. Raises: database errors."""
    global _published
    in_use = set(
        MessageTemplate.objects.filter(published__isnull=False).values_list("published_id", flat=True)
    )
    if in_use != _published.version_ids():
        versions = TemplateVersion.objects.filter(pk__in=in_use).select_related("template")
        _published = Published(dict(map(_entry, versions)))
        log.info("templates_read", extra={"count": len(in_use)})


def forget() -> None:
    """Forget everything, as a new process. For tests."""
    global _published, _read_at_s
    _published, _read_at_s = Published({}), float("-inf")


def _entry(version: TemplateVersion) -> tuple[Key, StoredWording]:
    key, label = key_of(version.template), f"{version.template}, version {version.number}"
    return key, StoredWording(version.title, version.body, key[-1], version.pk, label, key[1])


def key_of(template: MessageTemplate) -> Key:
    return template.stem, template.is_family, template.channel, template.locale


@lru_cache(maxsize=2_048)
def _compiled(source: str) -> SandboxTemplate:
    return compile_source(source)
