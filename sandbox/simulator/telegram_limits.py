"""Telegram's flood control: 429 with the seconds to wait, switched on by the rule `limits`.

Telegram documents 30 messages per second for a bot, one per second for a chat, with short bursts allowed, and
20 per minute for a group (https://core.telegram.org/bots/faq). A call before its Retry-After is refused
again, and marked `early`.
"""

import math
from collections import deque
from dataclasses import dataclass, field

BOT_PER_S = 30
GROUP_PER_MINUTE = 20
CHAT_BURST = 3  # size of a bucket that is refilled with one token per second


@dataclass(frozen=True, slots=True)
class TooMany:
    retry_after_s: int
    early: bool


@dataclass(slots=True)
class Limits:
    """Counts messages by chat and for the bot. `now` is in seconds, on any clock that does not jump."""

    _bot: deque[float] = field(default_factory=deque)
    _groups: dict[str, deque[float]] = field(default_factory=dict)
    _chats: dict[str, tuple[float, float]] = field(
        default_factory=dict
    )  # remaining tokens, and the time of that
    _shut_until: dict[str, float] = field(default_factory=dict)

    def take(self, chat_id: str, now: float) -> TooMany | None:
        """Count a message, or return the reason for which it must not be sent."""
        until = max(self._shut_until.get("bot", 0.0), self._shut_until.get(chat_id, 0.0))
        if now < until:
            return TooMany(math.ceil(until - now), early=True)
        waits = {"bot": self._bot_wait_s(now), chat_id: self._chat_wait_s(chat_id, now)}
        scope, wait_s = max(waits.items(), key=lambda item: item[1])
        if wait_s <= 0:
            self._count(chat_id, now)
            return None
        retry_after_s = math.ceil(wait_s)
        self._shut_until[scope] = now + retry_after_s
        return TooMany(retry_after_s, early=False)

    def _bot_wait_s(self, now: float) -> float:
        return _window_wait_s(self._bot, now, count=BOT_PER_S, period_s=1.0)

    def _chat_wait_s(self, chat_id: str, now: float) -> float:
        if chat_id.startswith(("-", "@")):
            group = self._groups.setdefault(chat_id, deque())
            return _window_wait_s(group, now, count=GROUP_PER_MINUTE, period_s=60.0)
        return 1.0 - self._left(chat_id, now)

    def _left(self, chat_id: str, now: float) -> float:
        left, at = self._chats.get(chat_id, (CHAT_BURST, now))
        return min(CHAT_BURST, left + now - at)

    def _count(self, chat_id: str, now: float) -> None:
        self._bot.append(now)
        if chat_id in self._groups:
            self._groups[chat_id].append(now)
        else:
            self._chats[chat_id] = (self._left(chat_id, now) - 1.0, now)


def _window_wait_s(times: deque[float], now: float, *, count: int, period_s: float) -> float:
    while times and times[0] <= now - period_s:
        times.popleft()
    return times[len(times) - count] + period_s - now if len(times) >= count else 0.0
