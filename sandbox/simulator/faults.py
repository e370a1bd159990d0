"""Fault rules, which make a channel slow, refusing, silent or unreachable.

A channel has a list of rules; only the first one that applies to a request is used.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeGuard, get_args

Channel = Literal["telegram", "smtp", "sink"]
CHANNELS: tuple[Channel, ...] = get_args(Channel)

TELEGRAM_ERRORS = frozenset(
    {
        "chat_not_found",
        "blocked",
        "deactivated",
        "write_forbidden",
        "not_admin",
        "cant_parse",
        "too_long",
        "unauthorized",
        "migrated",
    }
)
# The step at which each named error is answered, unless the rule has `at`.
SMTP_ERRORS = {
    "banned": "connect",
    "sender_refused": "mail",
    "mailbox_unknown": "rcpt",
    "mailbox_full": "rcpt",
    "policy": "data",
    "auth_required": "mail",
    "greylisted": "rcpt",
    "too_big": "data",
}
SMTP_STEPS = frozenset({"connect", "mail", "rcpt", "data"})
# The recipient is known from RCPT on.
_STEPS_WITH_RECIPIENT = frozenset({"rcpt", "data"})

Reader = Callable[[Any], Any]


class BadRule(ValueError):
    """An invalid rule; `field` names the invalid part."""

    def __init__(self, field_name: str, problem: str) -> None:
        super().__init__(field_name, problem)
        self.field = field_name
        self.problem = problem


def is_channel(name: str) -> TypeGuard[Channel]:
    return name in CHANNELS


@dataclass(slots=True, kw_only=True)
class Rule:
    """One fault rule; `spec` is the JSON that set it."""

    spec: Mapping[str, Any]
    latency_ms: int = 0
    status: int | None = None
    retry_after_s: int | None = None
    error: str | None = None
    hang: bool = False
    refuse: bool = False
    drop_answer: bool = False
    times: int | None = None
    match: str | None = None
    rate: float = 1.0
    seed: int = 0
    at: str | None = None
    limits: bool = False
    page: bool = False
    needs_to: bool = False
    hits: int = 0
    draws: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.draws = random.Random(self.seed)

    @property
    def spent(self) -> bool:
        return self.times is not None and self.hits >= self.times

    def applies(self, step: str, to: Collection[str]) -> bool:
        """Return whether the rule applies to this request; draws a random number only if all else matches."""
        if self.at is not None and self.at != step:
            return False
        if self.match is not None and self.match not in to:
            return False
        if self.needs_to and not any(to):
            return False
        return self.rate >= 1.0 or self.draws.random() < self.rate

    def view(self) -> dict[str, Any]:
        left = {} if self.times is None else {"remaining": self.times - self.hits}
        return {**self.spec, "hits": self.hits, **left}


class Faults:
    """The rules of every channel."""

    def __init__(self) -> None:
        self._rules: dict[Channel, list[Rule]] = {channel: [] for channel in CHANNELS}

    def pick(self, channel: Channel, step: str, to: Collection[str]) -> Rule | None:
        """Return the first rule that applies, counted as used, or None.

        `step` is the Telegram method or the SMTP step; `to` the recipients known so far.
        """
        rules = self._rules[channel]
        for rule in rules:
            if rule.applies(step, to):
                rule.hits += 1
                if rule.spent:
                    rules.remove(rule)
                return rule
        return None

    def add(self, channel: Channel, spec: Mapping[str, Any]) -> None:
        """Append a rule. Raises: BadRule."""
        self._rules[channel].append(read_rule(channel, spec))

    def replace(self, channel: Channel, spec: Mapping[str, Any]) -> None:
        """Make this the channel's only rule. Raises: BadRule."""
        self._rules[channel] = [read_rule(channel, spec)]

    def reset(self, channel: Channel | None = None) -> None:
        for name in CHANNELS if channel is None else (channel,):
            self._rules[name] = []

    def view(self) -> dict[str, list[dict[str, Any]]]:
        return {channel: [rule.view() for rule in rules] for channel, rules in self._rules.items()}


def read_rule(channel: Channel, spec: Mapping[str, Any]) -> Rule:
    """Check a rule given as JSON. Raises: BadRule."""
    readers = _READERS[channel]
    values: dict[str, Any] = {}
    for name, value in spec.items():
        if name not in readers:
            raise BadRule(name, f"unknown field for {channel}; known: {', '.join(sorted(readers))}")
        try:
            values[name] = readers[name](value)
        except (TypeError, ValueError) as problem:
            raise BadRule(name, str(problem)) from None
    rule = Rule(spec=dict(spec), **values)
    if channel == "telegram":
        rule.needs_to = rule.limits or rule.error not in (None, "unauthorized")
    if channel == "smtp":
        _settle_smtp_step(rule)
    return rule


def _settle_smtp_step(rule: Rule) -> None:
    rule.at = rule.at or _default_smtp_step(rule)
    if rule.at == "connect" and not (rule.refuse or rule.hang or rule.status or rule.error):
        raise BadRule("at", "connect takes only refuse, hang, status or error")
    if rule.drop_answer and rule.at != "data":
        raise BadRule("at", "drop_answer happens after the final dot: data")
    if rule.match is not None and rule.at not in _STEPS_WITH_RECIPIENT:
        raise BadRule("at", "match needs a step where the recipient is known: rcpt or data")


def _default_smtp_step(rule: Rule) -> str:
    if rule.refuse or rule.hang:
        return "connect" if rule.match is None else "rcpt"
    if rule.drop_answer or rule.error is None:
        return "data"
    step = SMTP_ERRORS[rule.error]
    return "rcpt" if step == "mail" and rule.match is not None else step


def _whole(low: int, high: int) -> Reader:
    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return value

    return read


def _one_of(names: Collection[str]) -> Reader:
    def read(value: Any) -> str:
        if not isinstance(value, str) or value not in names:
            raise ValueError(f"must be one of {', '.join(sorted(names))}")
        return value

    return read


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("must be true or false")
    return value


def _share(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError("must be a number from 0 to 1")
    return float(value)


def _text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
        raise ValueError("must be a chat id, an address or a name")
    return str(value)


_ANY_CHANNEL: dict[str, Reader] = {
    "latency_ms": _whole(0, 600_000),
    "hang": _flag,
    "refuse": _flag,
    "drop_answer": _flag,
    "times": _whole(1, 1_000_000_000),
    "match": _text,
    "rate": _share,
    "seed": _whole(0, 2**63),
}
_READERS: dict[Channel, dict[str, Reader]] = {
    "telegram": {
        **_ANY_CHANNEL,
        "status": _whole(400, 599),
        "retry_after_s": _whole(0, 86_400),
        "error": _one_of(TELEGRAM_ERRORS),
        "limits": _flag,
        "page": _flag,
        "at": _text,
    },
    "smtp": {
        **_ANY_CHANNEL,
        "status": _whole(400, 599),
        "error": _one_of(SMTP_ERRORS),
        "at": _one_of(SMTP_STEPS),
    },
    "sink": {**_ANY_CHANNEL, "status": _whole(200, 599), "retry_after_s": _whole(0, 86_400)},
}
