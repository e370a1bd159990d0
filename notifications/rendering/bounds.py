"""What one message of a stored template may use: steps, characters and processor time; and its names."""

import time
from collections.abc import Iterable, Mapping
from typing import Any

from django.template import Context

from notifications.rendering.payload import Field, Payload

MAX_STEPS = 10_000
MAX_VALUE_CHARS = 100_000
MAX_OUTPUT_CHARS = 200_000
MAX_CPU_S = 0.1
MAX_TURNS = 100  # of one loop
_LOOK_EVERY_STEPS = 16  # at the processor time: a system call, and a step takes 0.2 ms at most


class TemplateFailed(Exception):
    """A template that could not be filled: `kind` is `error`, `too_slow`, `too_long` or `empty`."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(f"{kind}: {text}")
        self.kind, self.text = kind, text

    def for_people(self) -> str:
        return f"it raises {self.text}" if self.kind == "error" else self.text


class Budget:
    """What is left for one message. It stays exceeded: Django's `if` swallows the error of an operand.

    Processor time and not the clock's: a process that had to wait for its turn has not been slow.
    """

    def __init__(self, cpu_s: float = MAX_CPU_S) -> None:
        self._steps, self._chars = MAX_STEPS, MAX_OUTPUT_CHARS
        self._until_s = time.thread_time() + cpu_s

    def step(self) -> None:
        self._steps -= 1
        if self._steps % _LOOK_EVERY_STEPS == 0:
            self.check()

    def write(self, text: str) -> None:
        self._chars -= len(text)
        if self._chars < 0:
            self.check()

    def bounded(self, value: object) -> object:
        """Return the result of a step, unless it is longer than any message."""
        if isinstance(value, str) and len(value) > MAX_VALUE_CHARS:
            self._chars = -1
            self.check()
        return value

    def check(self) -> None:
        """Raises: `TemplateFailed` if more was used than a message may use."""
        if self._chars < 0:
            raise TemplateFailed("too_long", "it is longer than any message")
        if self._steps < 0:
            raise TemplateFailed("too_slow", f"it takes more than {MAX_STEPS:,} steps")
        if time.thread_time() > self._until_s:
            raise TemplateFailed("too_slow", "it takes more processor time than a message may use")


class BoundedContext(Context):
    """The values of one message. A name reaches what they hold, and no attribute or method of it."""

    def __init__(self, values: Mapping[str, Any], budget: Budget) -> None:
        super().__init__(dict(values), autoescape=False, use_l10n=False, use_tz=False)
        self.budget = budget

    def find(self, names: Iterable[str]) -> Any:
        """Return the value of `payload.leg.price`, as its parts; "" if there is none."""
        first, *others = names
        value = self.get(first, "")
        value = value() if callable(value) else value  # `fields`, made where it is used
        for name in others:
            value = _part(value, name)
        return value


def _part(value: object, name: str) -> Any:
    if isinstance(value, Payload):
        return value[name]
    if isinstance(value, Field):
        return value._asdict().get(name, "")
    return value.get(name, "") if type(value) is dict else ""
