"""The channel, registered; the simulator's HTTP sink as its provider; and the domain's fixtures."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from notifications.states import Channel
from notifications.transports import registry
from runtime.redis.client import client
from tests.kit.simulator import SimulatorProcess
from tests.notifications.conftest import ada, chat, closed_breakers, desk, mailbox, now, override
from tests.notifications.desk import Desk
from tests.notifications.transports.conftest import running_providers

if TYPE_CHECKING:
    from users.models import Destination, User

__all__ = ["ada", "chat", "closed_breakers", "desk", "mailbox", "now", "override", "running_providers"]


@pytest.fixture(autouse=True)
def webhook() -> Iterator[None]:
    from tests.fifth_channel.webhook.channel import WEBHOOK

    with registry.registered(WEBHOOK):
        yield
    for key in client().scan_iter("limit.*"):
        client().delete(key)


@pytest.fixture
def sink(running_providers: SimulatorProcess) -> SimulatorProcess:
    running_providers.reset()
    return running_providers


@pytest.fixture
def hook(desk: Desk, ada: "User", sink: SimulatorProcess) -> "Destination":
    """Ada's webhook."""
    return desk.address(ada, Channel.WEBHOOK, address=f"{sink.url}/sink/ada")


@pytest.fixture
def attempt() -> Callable:
    """Try deliveries at a given time; return what follows."""
    from notifications.delivery.attempt import attempt_many
    from notifications.effects import Effects
    from tests.notifications.other_ends import unused

    def attempt(*rows, at) -> Effects:
        effects = Effects()
        for more in attempt_many([str(row.pk) for row in rows], clock=lambda: at, run_effects=unused):
            effects.add(more)
        return effects

    return attempt
