"""How a person proves who they are: a browser's cookie, or a token of a known key."""

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


def token_for(sub: str, /, *, key: Ed25519PrivateKey = SIGNING_KEY, **claims: object) -> str:
    given = {"sub": sub, "aud": "tocsin", "exp": int(time.time()) + 300} | claims
    return jwt.encode(
        {name: value for name, value in given.items() if value is not ...}, key, algorithm="EdDSA"
    )
