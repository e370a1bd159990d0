"""Giving answers: after the commit, in order within a chat, and within the provider's limits.

An answer that is lost costs the person a second message to the bot; what it was about is committed.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import Future, wait

from notifications.bot.handler import Answers
from notifications.delivery import rate_limits, sending_loop
from notifications.delivery.rate_limits import Ask
from notifications.states import Channel
from notifications.transports import registry
from notifications.transports.base import LimitedError, OutcomeUnknown, PermanentError, TransportError
from notifications.transports.telegram.answers import Answer, Say, Toast, give
from notifications.transports.telegram.transport import TelegramTransport
from runtime.loops import per_loop

log = logging.getLogger(__name__)

_TIMEOUT_S = 5.0
_WITHIN_S = 20.0  # an answer whose turn comes later than this is left out: somebody floods the bot
_RETRY_S = (1.0, 4.0)
_LONGEST_WAIT_S = 60.0

_running: set[Future[None]] = set()


class _Turns(defaultdict[str, asyncio.Lock]):
    """The locks of the chats that are being answered: a lock admits in the order in which it was asked."""

    def __init__(self) -> None:
        super().__init__(asyncio.Lock)
        self.waiting: defaultdict[str, int] = defaultdict(int)


_turns = per_loop(_Turns)


def give_later(answers: Answers) -> None:
    """Answer in the background."""
    if not answers.answers:
        return
    waits_s = _waits_s(answers)
    future = sending_loop.submit(_give_all(answers, waits_s))
    _running.add(future)
    future.add_done_callback(_running.discard)


def wait_until_given(*, within_s: float) -> bool:
    """Wait until all answers so far were given or given up. For a graceful stop, and for tests."""
    return not wait(list(_running), timeout=within_s).not_done


def _waits_s(answers: Answers) -> list[float]:
    """Return when each answer's turn comes, as the limits have it: a press is answered at once."""
    limits = rate_limits.limits_of(Channel.TELEGRAM, answers.chat_id)
    asks = [Ask(limits, horizon_s=_WITHIN_S) for answer in answers.answers if not isinstance(answer, Toast)]
    waits = iter(rate_limits.reserve(asks) if asks else ())
    return [0.0 if isinstance(answer, Toast) else next(waits) for answer in answers.answers]


async def _give_all(answers: Answers, waits_s: Sequence[float]) -> None:
    begun = asyncio.get_running_loop().time()
    chat_id, turns = answers.chat_id, _turns()
    for toast in (answer for answer in answers.answers if isinstance(answer, Toast)):
        await _give(chat_id, toast)  # out of turn: the person is looking at the button
    turns.waiting[chat_id] += 1
    try:
        async with turns[chat_id]:
            for answer, wait_s in zip(answers.answers, waits_s, strict=True):
                if wait_s >= _WITHIN_S:
                    log.warning("answer_left_out")
                elif not isinstance(answer, Toast):
                    await asyncio.sleep(begun + wait_s - asyncio.get_running_loop().time())
                    await _give(chat_id, answer)
    finally:
        turns.waiting[chat_id] -= 1
        if not turns.waiting[chat_id]:
            del turns.waiting[chat_id], turns[chat_id]


async def _give(chat_id: str, answer: Answer) -> None:
    transport = registry.transport(Channel.TELEGRAM)
    assert isinstance(transport, TelegramTransport)
    for retry_s in (*_RETRY_S, None):
        try:
            await transport.api.call(
                lambda bot: give(bot, chat_id, answer, timeout_s=_TIMEOUT_S), timeout_s=_TIMEOUT_S
            )
        except TransportError as error:
            if retry_s is None or _is_final(error, answer):
                reason = error.reason.replace(chat_id, "<address>")
                log.warning("answer_failed", extra={"error": type(error).__name__, "reason": reason[:300]})
                return
            await asyncio.sleep(await _wait_s(error, chat_id, retry_s))
        else:
            return


def _is_final(error: TransportError, answer: Answer) -> bool:
    """Tell whether another try is useless, or might say the same twice."""
    return isinstance(error, PermanentError) or (
        isinstance(error, OutcomeUnknown) and isinstance(answer, Say)
    )


async def _wait_s(error: TransportError, chat_id: str, retry_s: float) -> float:
    """Return when to try again; a Retry-After holds the sends of all processes to this chat."""
    if not isinstance(error, LimitedError):
        return retry_s
    wait_s = min(error.retry_after_s, _LONGEST_WAIT_S)
    limits = rate_limits.limits_of(Channel.TELEGRAM, chat_id)
    await asyncio.to_thread(rate_limits.hold, limits, wait_s=wait_s)
    return wait_s
