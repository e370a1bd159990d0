"""The provider simulator as a process of its own, and transports that point at it."""

import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[2]


class Providers:
    """What the simulated providers do, and what they have received since the test began."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "sandbox", "--http-port", "0", "--smtp-port", "0"]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        started = json.loads(self.process.stdout.readline())
        self.smtp_port: int = started["smtp_port"]
        self.url = f"http://127.0.0.1:{started['http_port']}"
        self._http = httpx.Client(base_url=self.url, timeout=10, trust_env=False)

    def fresh(self) -> None:
        self._http.delete("/control/faults").raise_for_status()
        self._http.delete("/control/log").raise_for_status()

    def misbehave(self, provider: str, **rule: object) -> None:
        self._http.put(f"/control/faults/{provider}", json=rule).raise_for_status()

    def also_misbehave(self, provider: str, **rule: object) -> None:
        self._http.post(f"/control/faults/{provider}", json=rule).raise_for_status()

    def requests(self, provider: str) -> list[dict]:
        found: list[dict] = self._http.get("/control/log", params={"channel": provider}).json()["entries"]
        return found

    def received(self, provider: str) -> list[dict]:
        """Return the messages that a recipient now has, whatever the sender was told."""
        return [
            entry for entry in self.requests(provider) if entry["outcome"] in {"accepted", "dropped_answer"}
        ]

    def stop(self) -> int:
        self._http.close()
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=5)
        finally:
            self.process.kill()
            assert self.process.stdout is not None
            self.process.stdout.close()


@pytest.fixture(scope="session")
def running_providers() -> Iterator[Providers]:
    running = Providers()
    yield running
    assert running.stop() == 0


@pytest.fixture
def providers(running_providers: Providers, settings) -> Providers:
    """The simulator, forgetful, with Tocsin's settings pointing at it."""
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
    """Make a transport with the settings as they are then; its connections are closed at the end."""
    made = []

    def make(kind: type, **options: str) -> object:
        made.append(kind(**options))
        return made[-1]

    yield make
    for transport in made:
        bot = getattr(transport, "_bot", None)
        if bot is not None:
            await bot.request.shutdown()
