"""The form of an e-mail address on the wire (RFC 5321, and RFC 6531 beyond ASCII)."""

import re
from email.utils import parseaddr

import idna
from django.core.validators import EmailValidator

_LONGEST = 320  # 64 for the local part, "@", 255 for the domain (RFC 5321 section 4.5.3.1)
_QUOTED = re.compile(r'"[ !#-\[\]-~]+"')
# Of one host; names without a dot are hosts of one's own network.
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]|\.(?!\.))*(?<![.-])|\[[A-Za-z0-9.:]+\]")


def on_the_wire(address: str) -> str:
    """Return one bare address with its domain in ASCII (IDNA 2008) and its local part unchanged.

    Raises: `ValueError` for everything else, as a list, a name with an address, or an invisible character.
    """
    local, _, domain = address.rpartition("@")
    # UTS 46 folds case and width as browsers do. The codec of the standard library (IDNA 2003) would write
    # to fass.example for faß.example, which is another host. Its `IDNAError` is a `ValueError`.
    host = domain if domain.isascii() else idna.encode(domain, uts46=True).decode("ascii")
    form = "".join(map(_as_ascii, local))
    well_formed = EmailValidator.user_regex.fullmatch(form) or _QUOTED.fullmatch(form)
    wire = f"{local}@{host}"
    # smtplib sends what `parseaddr` makes of an address.
    if not well_formed or not _HOST.fullmatch(host) or parseaddr(wire)[1] != wire or len(wire) > _LONGEST:
        raise ValueError("not an e-mail address")
    return wire


def _as_ascii(character: str) -> str:
    """Return a letter in the place of a visible character beyond ASCII, for a check of the form."""
    visible = character.isprintable() and not character.isspace()
    return "x" if visible and not character.isascii() else character
