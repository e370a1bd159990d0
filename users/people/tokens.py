"""What links and codes have in common: how a token is stored, why it is worth nothing, or there is none."""

from enum import StrEnum
from hashlib import sha256


class TooMany(Exception):
    """The person or the address has had enough of them for now."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(retry_after_s)
        self.retry_after_s = retry_after_s


class Refusal(StrEnum):
    """Why a token is worth nothing."""

    UNKNOWN = "unknown"
    EXPIRED = "expired"
    USED = "used"


def digest(token: str) -> bytes:
    return sha256(token.encode()).digest()
