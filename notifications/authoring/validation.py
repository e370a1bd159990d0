"""What is wrong with a draft: errors, with which it cannot be published, and warnings."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from django.template.defaulttags import WithNode

from notifications.authoring import samples
from notifications.authoring.preview import Sample, previews
from notifications.models import MessageTemplate
from notifications.rendering.sandbox import InvalidTemplate, SandboxTemplate, compile_source
from notifications.rendering.sandbox_tags import ForNode

_KNOWN = frozenset({"name", "payload", "fields", "forloop", "True", "False", "None"})
_AT = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to know. `line` counts from 1; 0: the text as a whole."""

    level: Literal["error", "warning"]
    field: Literal["title", "body"]
    text: str
    line: int = 0

    def __str__(self) -> str:
        place = f"{self.field}, line {self.line}" if self.line and self.field == "body" else self.field
        return f"{place.capitalize()}: {self.text}"


def findings(template: MessageTemplate) -> list[Finding]:
    """Return what is wrong with the draft of a template, stored or not."""
    compiled: dict[Literal["title", "body"], SandboxTemplate] = {}
    found: list[Finding] = []
    sources: dict[Literal["title", "body"], str] = {
        "title": template.draft_title,
        "body": template.draft_body,
    }
    for field, source in sources.items():
        try:
            compiled[field] = compile_source(source)
        except InvalidTemplate as error:
            found.append(Finding("error", field, error.text, error.line))
    if not template.draft_title.strip():
        found.append(Finding("error", "title", "a message needs a title"))
    elif "\n" in template.draft_title:
        found.append(Finding("error", "title", "it is one line"))
    if not found:
        found += _failures(template)
    return found + list(_unknown_names(template, compiled))


def errors(template: MessageTemplate) -> list[Finding]:
    return [finding for finding in findings(template) if finding.level == "error"]


def _failures(template: MessageTemplate) -> Iterator[Finding]:
    """Yield how the draft fails with the samples of its type, and without any field."""
    tried = samples.of(template.event_type, is_family=template.is_family)
    for event_type, payload in tried.items():
        if problem := _problem(template, Sample(event_type, payload, locale=template.locale or "en")):
            yield Finding("error", _where(problem), f"with the sample of {event_type}: {problem}")
            return
    if problem := _problem(template, Sample(template.event_type, {}, locale=template.locale or "en")):
        text = f"without any field: {problem}; such an event gets the shipped wording"
        yield Finding("warning", _where(problem), text)


def _where(problem: str) -> Literal["title", "body"]:
    return "title" if "title" in problem else "body"


def _problem(template: MessageTemplate, sample: Sample) -> str:
    return next((one.problem for one in previews(template, sample, now=_AT) if one.problem), "")


def _unknown_names(
    template: MessageTemplate, compiled: Mapping[Literal["title", "body"], SandboxTemplate]
) -> Iterator[Finding]:
    """Yield names that nothing has: they are empty in every message."""
    known_fields = {
        name
        for payload in samples.of(template.event_type, is_family=template.is_family).values()
        for name in payload
    }
    for field, source in compiled.items():
        for names in sorted(source.names):
            if names[0] not in _KNOWN | _given_in(source):
                yield Finding(
                    "warning", field, f"nothing is called {names[0]}; did you mean payload.{names[0]}?"
                )
            elif names[0] == "payload" and len(names) > 1 and known_fields and names[1] not in known_fields:
                yield Finding("warning", field, f"no sample of this type has the field {names[1]}")


def _given_in(source: SandboxTemplate) -> set[str]:
    """Return the names that loops and `with` give."""
    names: set[str] = set()
    for node in source.nodelist.get_nodes_by_type(ForNode | WithNode):  # type: ignore[arg-type]
        names |= {node.name} if isinstance(node, ForNode) else set(getattr(node, "extra_context", ()))
    return names
