"""Making what `read_token` verifies: a key pair, and a person's token as the back end of a site makes it.

Nothing here needs the settings of this server: the private key stays with the site.
"""

from datetime import datetime, timedelta

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat


def make_key_pair() -> tuple[str, str]:
    """Return a new Ed25519 key pair in PEM: the private key, and the public key for `JWT_PUBLIC_KEYS`."""
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    kept = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return kept.decode(), public.decode()


def make_token(
    person: str,
    private_key: str,
    *,
    now: datetime,
    audience: str = "tocsin",
    issuer: str = "",
    life_s: int = 600,
) -> str:
    """Return a token with which a page signs in as `person` (their external id) for `life_s`, at most 900.

    `private_key` is an Ed25519 key in PEM; `issuer` is needed where the server names `JWT_ISSUERS`.
    """
    claims = {"sub": person, "aud": audience, "iat": now, "exp": now + timedelta(seconds=life_s)}
    return jwt.encode(claims | ({"iss": issuer} if issuer else {}), private_key, algorithm="EdDSA")
