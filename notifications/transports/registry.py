"""Which transport sends on which channel. WEB is not here: its frames go to the gateway's hub."""

from functools import cache

from notifications.states import Channel
from notifications.transports.base import Transport
from notifications.transports.email import EmailTransport
from notifications.transports.telegram import TelegramTransport

TRANSPORTS: dict[Channel, type[Transport]] = {
    Channel.TELEGRAM: TelegramTransport,
    Channel.EMAIL: EmailTransport,
}


def supported() -> frozenset[Channel]:
    return frozenset(TRANSPORTS)


@cache
def transport(channel: Channel) -> Transport:
    """Return this process's transport of a channel. Raises: `KeyError` for one without a transport."""
    return TRANSPORTS[channel]()
