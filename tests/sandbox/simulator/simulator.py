"""The provider simulator as a process of its own, and the part of its control API that all tests use."""

import json
import signal
import subprocess
import sys

import httpx

from config.env import ROOT


class Simulator:
    """Starts `python -m sandbox.simulator` on free ports."""

    def __init__(self, *options: str) -> None:
        command = [
            sys.executable,
            "-m",
            "sandbox.simulator",
            "--http-port",
            "0",
            "--smtp-port",
            "0",
            *options,
        ]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.started: dict = json.loads(self.process.stdout.readline())
        self.http_port: int = self.started["http_port"]
        self.smtp_port: int = self.started["smtp_port"]
        self.url = f"http://127.0.0.1:{self.http_port}"
        self.http = httpx.Client(base_url=self.url, timeout=10, trust_env=False)

    def misbehave(self, provider: str, **rule: object) -> None:
        """Set the only rule of a provider."""
        self.http.put(f"/control/faults/{provider}", json=rule).raise_for_status()

    def behave(self) -> None:
        """Let every provider work."""
        self.http.delete("/control/faults").raise_for_status()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it, however it is stuck, and return its exit code."""
        self.http.close()
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(timeout=5)
        finally:
            self.process.kill()
            assert self.process.stdout is not None
            self.process.stdout.close()
