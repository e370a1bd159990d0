from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.kit.simulator import SimulatorProcess

if TYPE_CHECKING:
    from tests.notifications.bot.chats import Bot


@pytest.fixture
def bot(db: None, now, settings) -> "Bot":
    from tests.notifications.bot.chats import Bot

    settings.TELEGRAM_BOT_TOKEN = "1000:token"
    return Bot(now)


@pytest.fixture(scope="session")
def running_telegram() -> Iterator[SimulatorProcess]:
    running = SimulatorProcess()
    yield running
    assert running.stop() == 0


@pytest.fixture
def telegram(running_telegram: SimulatorProcess, settings) -> Iterator[SimulatorProcess]:
    """The simulated Telegram, and a transport that sends there from this process's sending loop."""
    from notifications.delivery import sending_loop
    from notifications.transports import registry
    from notifications.transports.telegram.transport import TelegramTransport

    running_telegram.reset()
    settings.TELEGRAM_BOT_TOKEN = "1000:token"
    settings.TELEGRAM_API_URL = f"{running_telegram.url}/bot"
    transport = TelegramTransport()
    with registry.using(transport):
        yield running_telegram
        sending_loop.submit(transport.api.close()).result(5)
