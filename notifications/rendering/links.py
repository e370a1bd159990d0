"""Which URLs of a producer may become links: https, to a host on the list of its source.

Everything that one parser may read differently from another is refused: user names, backslashes, control
characters and spaces, hosts that are not in ASCII (their punycode form is compared with the list).
"""

import re
from collections.abc import Iterable
from urllib.parse import quote

from users.link_hosts import is_listed

LONGEST_URL = 2_048

# Spaces, controls, bidi marks and other invisible characters, backslashes.
_FORBIDDEN = re.compile(
    "[\\s\\\\\x00-\x20\x7f-\xa0\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u2028-\u202f\u205f-\u206f\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff\ud800-\udfff"
    "\U000e0000-\U000e0fff]"
)
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_URL = re.compile(
    rf"https://(?P<host>{_LABEL}(?:\.{_LABEL})+)(?::(?P<port>[0-9]{{1,5}}))?(?P<rest>(?:[/?#].*)?)",
    re.IGNORECASE,
)
_SAFE_IN_URL = "%/:=&?~#+!$,;'@()*[]"  # `quote` leaves these as they are, beside letters and digits


class UnsafeLink(Exception):
    """This URL must not become a link; `reason` is for the producer."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def safe_url(url: str, hosts: Iterable[str]) -> str:
    """Return the URL to link to, in ASCII. `hosts` are those of the source. Raises: `UnsafeLink`."""
    url = url.strip(" ")
    if len(url) > LONGEST_URL:
        raise UnsafeLink(f"longer than {LONGEST_URL} characters")
    if _FORBIDDEN.search(url):
        raise UnsafeLink("it has spaces, backslashes, control or invisible characters")
    found = _URL.fullmatch(url)
    if found is None:
        raise UnsafeLink("not https://, or not a plain host name in ASCII")
    host = found["host"].lower()
    port = "" if found["port"] in {None, "443"} else f":{int(found['port'])}"
    if not is_listed(f"{host}{port}", hosts):
        raise UnsafeLink(f"{host}{port} is not among the link hosts of the source")
    safe = f"https://{host}{port}{quote(found['rest'] or '/', safe=_SAFE_IN_URL)}"
    if len(safe) > LONGEST_URL:
        raise UnsafeLink(f"longer than {LONGEST_URL} characters")
    return safe
