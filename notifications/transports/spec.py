"""What a channel declares about itself: everything that general code must know of it.

Routing, retries, rate limits, rendering, forms and system checks read a `ChannelSpec` and know no channel by
name. Each channel has one, in its own folder: see `telegram/channel.py`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from pathlib import Path

from notifications.states import Channel, Priority
from notifications.transports.base import Transport
from notifications.words import Block
from users.channel_choices import AddressForm

QUICK_WAITS_S = (2.0, 4.0, 8.0, 16.0)


@dataclass(frozen=True, slots=True)
class Limit:
    """`count` sends per `period_s` on `key`, of which `burst` may be sent at once."""

    key: str
    count: int
    period_s: float
    burst: int = 1

    @property
    def interval_ms(self) -> float:
        return self.period_s * 1000 / self.count


def digest(address: str) -> str:
    """Return a short digest of an address or a part of one, for a `Limit.key`, which holds no address."""
    return sha256(address.encode()).hexdigest()[:16]


def may_heal(reason: str) -> bool:
    return True


def unlimited(address: str) -> tuple[Limit, ...]:
    return ()


class VerifiedBy(StrEnum):
    """How people show that an address on a channel is theirs."""

    CODE = "code"  # a code and a link are sent there
    CHAT = "chat"  # a link of theirs, which they open and confirm in the chat itself
    OPERATOR = "operator"  # not by themselves: a source vouches for it, or an operator marks it


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """How a rendered message is fitted to a channel.

    Example: `Fit(has_layout=True, has_markup=True, max_units=4096)` for Telegram's HTML.
    """

    has_layout: bool = False  # `layouts/<name>.txt`: the text repeats the title; else it is the body alone
    has_markup: bool = False  # `layouts/<name>.html`: the channel shows HTML
    # What the layout's HTML shows of the producer's own words; without it they are escaped text.
    markup: Callable[[Iterable[Block]], str] | None = None
    shows_all: bool = False  # no value is shortened, and the layout lists every field
    max_units: int | None = None  # longest text or HTML, in UTF-16 code units
    critical_prefix: str = ""  # before the title of a CRITICAL event


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ChannelSpec:
    """The declaration of one channel. Compared by identity: caches use it as a key."""

    channel: Channel  # its number on the wire and in rows
    label: str  # its name in forms
    position: int  # its place in the default order, lowest first
    transport: Callable[[], Transport] | None = None  # None: its frames go to the gateway's hub
    address: AddressForm | None = None  # None: needs no address, an open session is the address
    verified_by: VerifiedBy = VerifiedBy.OPERATOR
    templates: Path | None = None  # a folder with `layouts/` and, optionally, `wording/`
    fit: Fit = Fit()
    timeout_s: float = 10.0  # longest time for one send; the setting `send_timeout_s` may be lower
    # Seconds to wait after the first, second, … send that failed with a temporary error.
    waits_s: Mapping[Priority, tuple[float, ...]] = field(default_factory=dict)
    limits: Callable[[str], tuple[Limit, ...]] = unlimited  # of one send to an address, the widest first
    # Whether a recipient who was refused for this reason may be reachable again some day.
    can_heal: Callable[[str], bool] = may_heal
    edits: bool = False  # its transport can change a message that it has sent: `EditingTransport`
    confirms: bool = False  # the client confirms what it received, and drops duplicates itself

    @property
    def name(self) -> str:
        """The name in file names: `telegram` in `layouts/telegram.html`."""
        return self.channel.name.lower()
