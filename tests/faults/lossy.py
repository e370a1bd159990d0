"""Losing pub/sub messages on their way from Redis: every n-th push to a person vanishes, nothing else."""

import re

_PUSH = re.compile(rb"[*>]3\r\n\$7\r\nmessage\r\n\$\d+\r\nuser\.\d+\r\n")
_SUBSCRIBED = b"$9\r\nsubscribe\r\n"


class LosePushes:
    """Counts over all connections. `filter` makes one filter for each of them."""

    def __init__(self, every: int) -> None:
        self._every = every
        self.passed = 0
        self.lost = 0

    def filter(self) -> "_Filter":
        return _Filter(self)

    def takes(self, reply: bytes) -> bool:
        """Decide on one reply of a subscribed connection."""
        if not _PUSH.match(reply):
            return False
        if (self.passed + self.lost) % self._every == self._every - 1:
            self.lost += 1
            return True
        self.passed += 1
        return False


class _Filter:
    """Cuts one connection's answers into replies, once it has subscribed to something."""

    def __init__(self, losing: LosePushes) -> None:
        self._losing = losing
        self._subscribed = False
        self._rest = b""

    def __call__(self, data: bytes) -> bytes:
        """Return what of these bytes is passed on."""
        if not self._subscribed:
            if _SUBSCRIBED not in data:
                return data
            self._subscribed = True
            start = data.rindex(b"3\r\n", 0, data.index(_SUBSCRIBED)) - 1  # where that reply begins
            return data[:start] + self(data[start:])
        data = self._rest + data
        kept, at = [], 0
        while (end := _end_of_reply(data, at)) >= 0:
            if not self._losing.takes(data[at:end]):
                kept.append(data[at:end])
            at = end
        self._rest = data[at:]
        return b"".join(kept)


def _end_of_reply(data: bytes, at: int) -> int:
    """Return where the RESP value that begins at `at` ends, or -1 if it is not complete."""
    line_end = data.find(b"\r\n", at)
    if line_end < 0:
        return -1
    kind, number = data[at : at + 1], data[at + 1 : line_end]
    end = line_end + 2
    if kind in b"$=" and int(number) >= 0:
        end += int(number) + 2
        return end if end <= len(data) else -1
    if kind in b"*>~":
        for _ in range(max(int(number), 0)):
            end = _end_of_reply(data, end)
            if end < 0:
                return -1
    return end
