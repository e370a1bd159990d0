"""Encryption of addresses at rest, with their own keys, and keyed digests to look them up."""

import hmac
from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper


class CannotDecrypt(Exception):
    """None of `FIELD_ENCRYPTION_KEYS` decrypts a value. The text names the remedy and contains no value."""

    def __init__(self) -> None:
        super().__init__("no key decrypts the address: FIELD_ENCRYPTION_KEYS lacks the key that encrypted it")


class Undecryptable(str):
    """What is read for a value that no key decrypts. Saving it writes the encrypted value back unchanged."""

    token: str

    def __new__(cls, token: str) -> "Undecryptable":
        made = super().__new__(cls, "(no key decrypts this)")
        made.token = token
        return made


@cache
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def _keys() -> tuple[str, ...]:
    return tuple(settings.FIELD_ENCRYPTION_KEYS)


def encrypt(text: str) -> str:
    """Return `text` encrypted with the first of `FIELD_ENCRYPTION_KEYS`."""
    return _fernet(_keys()).encrypt(text.encode()).decode("ascii")


def decrypt(token: str) -> str:
    """Return the decrypted text. Raises: `CannotDecrypt` if no key matches."""
    fernet = _fernet(_keys())
    try:
        return fernet.decrypt(token).decode()
    except (InvalidToken, ValueError):  # a text that is not ASCII is a ValueError
        raise CannotDecrypt from None


def is_current(token: str) -> bool:
    """Return whether the first of the keys encrypted this."""
    try:
        _fernet(_keys()[:1]).decrypt(token)
    except (InvalidToken, ValueError):
        return False
    return True


def digests(parts: Iterable[str]) -> list[bytes]:
    """Return one keyed digest per configured key, the current key's first.

    A digest allows look-ups by equality, and cannot be reversed without the key.
    """
    text = "\0".join(parts).encode()
    return [hmac.new(key.encode(), text, sha256).digest() for key in _keys()]


class EncryptedTextField(models.TextField[str, str]):
    """Text that is encrypted in the database and decrypted in Python. Look-ups on it find nothing.

    A value that no key decrypts is read as `Undecryptable`: its row can be listed, changed and deleted.
    """

    def get_prep_value(self, value: object) -> str | None:
        if isinstance(value, Undecryptable):
            return value.token
        return None if value is None else encrypt(str(value))

    def from_db_value(
        self, value: str | None, expression: object, connection: "BaseDatabaseWrapper"
    ) -> str | None:
        try:
            return None if value is None else decrypt(value)
        except CannotDecrypt:
            return Undecryptable(value or "")

    def save_form_data(self, instance: models.Model, data: object) -> None:
        """Keep an undecryptable value that the form returns as it was shown."""
        before = getattr(instance, self.attname)
        if not (isinstance(before, Undecryptable) and data == before):
            super().save_form_data(instance, data)
