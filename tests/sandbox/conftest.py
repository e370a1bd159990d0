"""A real simulator process on free ports, and a small client of its control API."""

import json
import signal
import smtplib
import subprocess
import sys
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[2]


class Simulator:
    """Starts `python -m sandbox`; reads its log from where the test began."""

    def __init__(self, *options: str) -> None:
        command = [sys.executable, "-m", "sandbox", "--http-port", "0", "--smtp-port", "0", *options]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.started = json.loads(self.process.stdout.readline())
        self.http_port = self.started["http_port"]
        self.smtp_port = self.started["smtp_port"]
        self.url = f"http://127.0.0.1:{self.http_port}"
        self.http = httpx.Client(base_url=self.url, timeout=10, trust_env=False)
        self.begin = 0

    def api(self, method: str, token: str = "42:secret", **params: object) -> httpx.Response:
        return self.http.post(f"/bot{token}/{method}", data=params)

    def fault(self, channel: str, **rule: object) -> None:
        self.http.put(f"/control/faults/{channel}", json=rule).raise_for_status()

    def entries(self, count: int = 1, **query: object) -> list[dict]:
        """Will wait until `count` entries were logged since the test began."""
        found: list[dict] = []
        after = self.begin
        while len(found) < count:
            page = self.http.get("/control/log", params={"after": after, "wait_s": 5, **query}).json()
            assert page["entries"], f"only {len(found)} of {count} entries came"
            found += page["entries"]
            after = page["last"]
        return found

    def fresh(self) -> None:
        self.http.delete("/control/faults").raise_for_status()
        self.begin = self.http.get("/control/log", params={"limit": 1, "after": 2**40}).json()["last"]

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

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.http.close()
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(timeout=5)
        finally:
            self.process.kill()
            assert self.process.stdout is not None
            self.process.stdout.close()


@pytest.fixture(scope="module")
def running_sandbox() -> Iterator[Simulator]:
    simulator = Simulator()
    yield simulator
    assert simulator.stop() == 0


@pytest.fixture
def sandbox(running_sandbox: Simulator) -> Simulator:
    running_sandbox.fresh()
    return running_sandbox


@pytest.fixture
def start_sandbox() -> Iterator[type[Simulator]]:
    """For tests that stop a simulator themselves or need other options."""
    started: list[Simulator] = []

    def start(*options: str) -> Simulator:
        started.append(Simulator(*options))
        return started[-1]

    yield start  # type: ignore[misc]
    for simulator in started:
        simulator.stop(signal.SIGKILL)
