"""System checks of the keys that encrypt addresses."""

from typing import Any

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.db import DatabaseError, InterfaceError

from users import reencryption

_DROPPED_SHARE = 0.05
_REMEDY = (
    "Put the missing key back, behind the newest one; manage.py reencrypt then makes it dispensable. "
    "manage.py doctor lists the destinations; those whose key is lost need a new address or can be deleted."
)


@register
def keys_are_keys(**_: Any) -> list[CheckMessage]:
    """A malformed key would fail at the first address."""
    return [
        Error(
            f"FIELD_ENCRYPTION_KEYS: number {number} is not a Fernet key.",
            hint="Generate one with cryptography.fernet.Fernet.generate_key().",
            id="tocsin.E007",
        )
        for number, key in enumerate(settings.FIELD_ENCRYPTION_KEYS, start=1)
        if not _is_key(key)
    ]


def keys_are_usable() -> bool:
    return bool(settings.FIELD_ENCRYPTION_KEYS) and not keys_are_keys()


def _is_key(key: str) -> bool:
    try:
        Fernet(key)
    except ValueError:
        return False
    return True


@register(deploy=True)
def addresses_can_be_decrypted(**_: Any) -> list[CheckMessage]:
    """A dropped key makes every address unreadable that it encrypted: look at the oldest and the newest.

    Few of them are damaged rows, which must not stop the system: their deliveries end with a reason.
    """
    if not keys_are_usable():
        return []  # reported by other checks
    try:
        unreadable, seen = reencryption.sample()
    except (DatabaseError, InterfaceError):  # away, or not migrated yet
        return []
    if not unreadable:
        return []
    text = f"No key of FIELD_ENCRYPTION_KEYS decrypts {unreadable} of {seen} addresses."
    if unreadable > _DROPPED_SHARE * seen:
        return [Error(text, hint=_REMEDY, id="tocsin.E120")]
    return [Warning(text, hint=_REMEDY, id="tocsin.W120")]
