"""Which transport sends on which channel. WEB is not here: its frames go to the gateway's hub."""

from collections.abc import Iterator
from contextlib import contextmanager

from notifications.states import Channel
from notifications.transports.base import Transport
from notifications.transports.email.transport import EmailTransport
from notifications.transports.telegram.transport import TelegramTransport

TRANSPORTS: dict[Channel, type[Transport]] = {
    Channel.TELEGRAM: TelegramTransport,
    Channel.EMAIL: EmailTransport,
}


def supported() -> frozenset[Channel]:
    return frozenset(TRANSPORTS)


_made: dict[Channel, Transport] = {}


def transport(channel: Channel) -> Transport:
    """Return this process's transport of a channel. Raises: `KeyError` for one without a transport."""
    if channel not in _made:
        _made[channel] = TRANSPORTS[channel]()
    return _made[channel]


@contextmanager
def using(stand_in: Transport) -> Iterator[None]:
    """Send on the channel of `stand_in` through it while the block runs. For tests."""
    usual = _made.get(stand_in.channel)
    _made[stand_in.channel] = stand_in
    try:
        yield
    finally:
        del _made[stand_in.channel]
        if usual is not None:
            _made[stand_in.channel] = usual
