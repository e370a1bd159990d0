"""The provider simulator as a process of its own, and transports that point at it."""

from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from tests.kit.simulator import SimulatorProcess


@pytest.fixture(scope="session")
def running_providers() -> Iterator[SimulatorProcess]:
    running = SimulatorProcess()
    yield running
    assert running.stop() == 0


@pytest.fixture
def providers(running_providers: SimulatorProcess, settings) -> SimulatorProcess:
    """The simulator without rules and log, with Tocsin's settings pointing at it."""
    running_providers.reset()
    settings.TELEGRAM_BOT_TOKEN = "4242:very-secret-token"
    settings.TELEGRAM_API_URL = f"{running_providers.url}/bot"
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST = "127.0.0.1"
    settings.EMAIL_PORT = running_providers.smtp_port
    settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
    return running_providers


@pytest.fixture
async def make_transport(providers: SimulatorProcess) -> AsyncIterator[Callable]:
    """Make a transport with the settings as they are then; its connections are closed at the end."""
    made = []

    def make(kind: type, **options: str) -> object:
        made.append(kind(**options))
        return made[-1]

    yield make
    for transport in made:
        api = getattr(transport, "api", None)
        if api is not None:
            await api.close()
