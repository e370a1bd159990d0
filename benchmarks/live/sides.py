"""The servers of a comparison, each with its clients and its publisher, behind one interface."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import gateways
import messages
import publishers
from crowd import Crowd, Hello
from gateways import Gateway
from publishers import Publisher

from notifications.live import pubsub

OURS, UVICORN, CHANNELS, NCHAN = "Tocsin", "Tocsin on uvicorn", "channels_redis", "nchan"


@dataclass(slots=True)
class Side:
    """A running server: `publish(target, event)` gives the bytes that publish an event to its target."""

    name: str
    gateway: Gateway
    hello: Callable[[str], Hello]
    publish: Callable[[str, bytes], bytes]

    def publisher(self) -> Publisher:
        if self.name == NCHAN:
            return Publisher(self.gateway.port)
        return publishers.valkey_publisher(os.environ["REDIS_URL"])

    def crowd(self, targets: list[str]) -> Crowd:
        return Crowd(self.gateway.port, [self.hello(target) for target in targets])


def names(*, uvicorn: bool = True) -> list[str]:
    """Return the sides that can run on this machine."""
    from importlib.util import find_spec

    found = [OURS]
    if uvicorn and find_spec("uvicorn"):
        found.append(UVICORN)
    found.append(CHANNELS)
    if gateways.nginx_binary():
        found.append(NCHAN)
    return found


@contextmanager
def running(name: str, keys: dict[str, int]) -> Iterator[Side]:
    """Run one side. `keys` maps a person's external id to their row; the others use the id itself."""
    if name == CHANNELS:
        with gateways.channels_peer() as gateway:
            yield Side(
                name,
                gateway,
                lambda target: Hello(f"/ws/{target}", "", b'"ready"'),
                lambda target, data: publishers.publish_command(
                    messages.group_channel(target), messages.group_message(data)
                ),
            )
    elif name == NCHAN:
        with gateways.nchan() as gateway:
            yield Side(name, gateway, lambda target: Hello(f"/sub/{target}"), publishers.post_request)
    else:
        with gateways.ours("uvicorn" if name == UVICORN else "daphne") as gateway:
            yield Side(
                name,
                gateway,
                gateways.hello_of,
                lambda target, data: publishers.publish_command(pubsub.user_channel(keys[target]), data),
            )


def persons(count: int) -> dict[str, int]:
    """Create persons; return their rows by external id."""
    from system import people

    from users.models import User

    people(count, with_telegram=False)
    return dict(User.objects.order_by("pk").values_list("external_id", "pk"))
