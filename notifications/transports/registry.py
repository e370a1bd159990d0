"""The registered channels.

A channel of the product is an entry of `BUILT_IN`. Another package adds its own with the setting
`TOCSIN_CHANNELS` (dotted paths of `ChannelSpec`s) or by calling `register` in its `AppConfig.ready`.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from notifications.states import Channel
from notifications.transports.base import Transport
from notifications.transports.email.channel import EMAIL
from notifications.transports.spec import ChannelSpec
from notifications.transports.telegram.channel import TELEGRAM
from notifications.transports.web.channel import WEB
from users import channel_choices

BUILT_IN = (WEB, TELEGRAM, EMAIL)

_specs: dict[Channel, ChannelSpec] = {}
_transports: dict[Channel, Transport] = {}


def register(spec: ChannelSpec) -> None:
    """Add a channel to routing, delivery and forms. Raises: `ImproperlyConfigured` if it has one already."""
    if spec.channel in _specs:
        raise ImproperlyConfigured(f"The channel {spec.channel.name} is registered twice.")
    _replace([*_specs.values(), spec])
    channel_choices.offer(spec.channel, name=spec.name, label=spec.label, address=spec.address)


def load(paths: Iterable[str]) -> None:
    """Register the `ChannelSpec`s at these dotted paths (the setting `TOCSIN_CHANNELS`)."""
    for path in paths:
        register(import_string(path))


def channels() -> Mapping[Channel, ChannelSpec]:
    """Return the registered channels, in the default order."""
    return _specs


def spec(channel: Channel) -> ChannelSpec:
    """Return a channel's declaration; of one that is not registered (any more), the defaults."""
    return _specs.get(channel) or _defaults(channel)


def transport(channel: Channel) -> Transport:
    """Return this process's transport of a channel. Raises: `KeyError` for a channel without a transport."""
    if channel not in _transports:
        make = _specs[channel].transport
        if make is None:
            raise KeyError(channel)
        _transports[channel] = make()
    return _transports[channel]


@contextmanager
def using(stand_in: Transport) -> Iterator[None]:
    """Send on the channel of `stand_in` through it while the block runs. For tests."""
    usual = _transports.get(stand_in.channel)
    _transports[stand_in.channel] = stand_in
    try:
        yield
    finally:
        del _transports[stand_in.channel]
        if usual is not None:
            _transports[stand_in.channel] = usual


@contextmanager
def registered(added: ChannelSpec) -> Iterator[None]:
    """Register a channel while the block runs. For tests."""
    register(added)
    try:
        yield
    finally:
        _replace([other for other in _specs.values() if other is not added])
        _transports.pop(added.channel, None)
        channel_choices.withdraw(added.channel)


def _replace(specs: Iterable[ChannelSpec]) -> None:
    """Set the registered channels. The old mapping is left as it is: another thread may be reading it."""
    global _specs
    _specs = {spec.channel: spec for spec in sorted(specs, key=lambda spec: (spec.position, spec.channel))}


@cache
def _defaults(channel: Channel) -> ChannelSpec:
    return ChannelSpec(channel=channel, label=channel.name, position=0)


for _built_in in BUILT_IN:
    register(_built_in)
