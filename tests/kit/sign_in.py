"""How a person signs in: with a browser's cookie, or with a token signed by a key that the servers trust."""

import time

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SIGNING_KEY = Ed25519PrivateKey.generate()
_PUBLIC = SIGNING_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
JWT_KEY_SETTING = {"JWT_PUBLIC_KEYS": _PUBLIC.replace("\n", "\\n")}


def cookie_of(person) -> str:
    """The Cookie header of a browser in which this person has signed in."""
    from django.test import Client

    client = Client()
    client.force_login(person)
    return f"sessionid={client.cookies['sessionid'].value}"


def claims(sub: str, /, **changes: object) -> dict[str, object]:
    """Return the claims of a good token; a change to `...` leaves one out."""
    now = int(time.time())
    given = {"sub": sub, "aud": "tocsin", "iat": now - 1, "exp": now + 800} | changes
    return {name: value for name, value in given.items() if value is not ...}


def token_for(sub: str, /, *, key: Ed25519PrivateKey = SIGNING_KEY, **changes: object) -> str:
    return jwt.encode(claims(sub, **changes), key, algorithm="EdDSA")
