"""The provider simulator as a process of its own, and transports that point at it."""

from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from tests.sandbox.simulator.simulator import Simulator


class Providers(Simulator):
    """Controls the simulated providers, and returns what they received since the test began."""

    def fresh(self) -> None:
        self.behave()
        self.http.delete("/control/log").raise_for_status()

    def also_misbehave(self, provider: str, **rule: object) -> None:
        self.http.post(f"/control/faults/{provider}", json=rule).raise_for_status()

    def requests(self, provider: str) -> list[dict]:
        found: list[dict] = self.http.get("/control/log", params={"channel": provider}).json()["entries"]
        return found

    def received(self, provider: str) -> list[dict]:
        """Return the messages that arrived, whether or not the sender got an answer."""
        return [
            entry for entry in self.requests(provider) if entry["outcome"] in {"accepted", "dropped_answer"}
        ]


@pytest.fixture(scope="session")
def running_providers() -> Iterator[Providers]:
    running = Providers()
    yield running
    assert running.stop() == 0


@pytest.fixture
def providers(running_providers: Providers, settings) -> Providers:
    """The simulator, reset, with Tocsin's settings pointing at it."""
    running_providers.fresh()
    settings.TELEGRAM_BOT_TOKEN = "4242:very-secret-token"
    settings.TELEGRAM_API_URL = f"{running_providers.url}/bot"
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST = "127.0.0.1"
    settings.EMAIL_PORT = running_providers.smtp_port
    settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
    return running_providers


@pytest.fixture
async def make_transport(providers: Providers) -> AsyncIterator[Callable]:
    """Make a transport with the current settings; its connections are closed at the end."""
    made = []

    def make(kind: type, **options: str) -> object:
        made.append(kind(**options))
        return made[-1]

    yield make
    for transport in made:
        bot = getattr(transport, "_bot", None)
        if bot is not None:
            await bot.request.shutdown()
