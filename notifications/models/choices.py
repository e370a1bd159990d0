"""The choices of model fields, from the enums in `states`."""

from enum import StrEnum

from notifications import states


def choices(enum: type[StrEnum]) -> list[tuple[str, str]]:
    return [(member.value, member.value or "none") for member in enum]


CHANNELS = [(channel.value, channel.name) for channel in states.Channel]
PRIORITIES = [(priority.value, priority.name) for priority in states.Priority]
