"""Encryption of addresses at rest, with their own keys, and keyed digests to look them up."""

import hmac
from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING

from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings
from django.db import models

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper


@cache
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def _keys() -> tuple[str, ...]:
    return tuple(settings.FIELD_ENCRYPTION_KEYS)


def encrypt(text: str) -> str:
    """Return `text` encrypted with the first of `FIELD_ENCRYPTION_KEYS`."""
    return _fernet(_keys()).encrypt(text.encode()).decode("ascii")


def decrypt(token: str) -> str:
    """Return the decrypted text. Raises: `InvalidToken` if no key matches."""
    return _fernet(_keys()).decrypt(token).decode()


def digests(parts: Iterable[str]) -> list[bytes]:
    """Return one keyed digest per configured key, the current key's first.

    A digest allows look-ups by equality, and cannot be reversed without the key.
    """
    text = "\0".join(parts).encode()
    return [hmac.new(key.encode(), text, sha256).digest() for key in _keys()]


class EncryptedTextField(models.TextField[str, str]):
    """Text that is encrypted in the database and decrypted in Python. Look-ups on it find nothing."""

    def get_prep_value(self, value: object) -> str | None:
        return None if value is None else encrypt(str(value))

    def from_db_value(
        self, value: str | None, expression: object, connection: "BaseDatabaseWrapper"
    ) -> str | None:
        return None if value is None else decrypt(value)
