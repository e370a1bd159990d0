"""A real simulator process on free ports, and a small client of its control API."""

import signal
import smtplib
from collections.abc import Callable, Iterator
from email.message import EmailMessage

import httpx
import pytest

from tests.kit.simulator import SimulatorProcess


class LoggedSimulator(SimulatorProcess):
    """A simulator whose log is read from the start of the test."""

    begin = 0

    def api(self, method: str, token: str = "42:secret", **params: object) -> httpx.Response:
        return self.http.post(f"/bot{token}/{method}", data=params)

    def entries(self, count: int = 1, **query: object) -> list[dict]:
        """Wait until `count` entries were logged since the test began; return them."""
        found: list[dict] = []
        after = self.begin
        while len(found) < count:
            page = self.http.get("/control/log", params={"after": after, "wait_s": 5, **query}).json()
            assert page["entries"], f"only {len(found)} of {count} entries came"
            found += page["entries"]
            after = page["last"]
        return found

    def fresh(self) -> None:
        self.behave()
        self.begin = self.last_number()

    def mail(self, to: str = "ann@example.test", subject: str = "Order filled") -> EmailMessage:
        message = EmailMessage()
        message["From"] = "Tocsin <noreply@tocsin.test>"
        message["To"] = to
        message["Subject"] = subject
        message["Message-ID"] = "<one@tocsin.test>"
        message.set_content("plain words")
        message.add_alternative("<p>rich words</p>", subtype="html")
        return message

    def deliver(self, message: EmailMessage, to: list[str] | None = None, timeout_s: float = 5) -> None:
        with smtplib.SMTP("127.0.0.1", self.smtp_port, "client.test", timeout=timeout_s) as client:
            client.send_message(message, to_addrs=to)


@pytest.fixture(scope="module")
def running_sandbox() -> Iterator[LoggedSimulator]:
    simulator = LoggedSimulator()
    yield simulator
    assert simulator.stop() == 0


@pytest.fixture
def sandbox(running_sandbox: LoggedSimulator) -> LoggedSimulator:
    running_sandbox.fresh()
    return running_sandbox


@pytest.fixture
def start_sandbox() -> Iterator[Callable[..., LoggedSimulator]]:
    """For tests that stop a simulator themselves or need other options."""
    started: list[LoggedSimulator] = []

    def start(*options: str) -> LoggedSimulator:
        started.append(LoggedSimulator(*options))
        return started[-1]

    yield start
    for simulator in started:
        simulator.stop(signal.SIGKILL)
