"""The provider simulator: a client of its control API, and the simulator as a process of its own."""

import json
import signal
import subprocess
import sys

import httpx

from config.env import ROOT

_RECEIVED = {"accepted", "dropped_answer"}


class Simulator:
    """A client of a running simulator's control API."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = httpx.Client(base_url=url, timeout=10, trust_env=False)

    def misbehave(self, provider: str, **rule: object) -> None:
        """Set the only rule of a provider."""
        self.http.put(f"/control/faults/{provider}", json=rule).raise_for_status()

    def also_misbehave(self, provider: str, **rule: object) -> None:
        """Append a rule to those of a provider."""
        self.http.post(f"/control/faults/{provider}", json=rule).raise_for_status()

    def behave(self) -> None:
        """Remove all rules: every provider works."""
        self.http.delete("/control/faults").raise_for_status()

    def requests(self, provider: str = "") -> list[dict]:
        """Return the log's entries, of all providers or of one."""
        query = {"limit": 10_000} | ({"channel": provider} if provider else {})
        found: list[dict] = self.http.get("/control/log", params=query).raise_for_status().json()["entries"]
        return found

    def received(self, provider: str = "") -> list[dict]:
        """Return the messages that a recipient now has, whatever the provider answered."""
        return [entry for entry in self.requests(provider) if entry["outcome"] in _RECEIVED]

    def accepted(self, kind: str) -> int:
        """Return how many requests of this kind were accepted."""
        answer = self.http.get("/control/log/count", params={"kind": kind}).raise_for_status()
        return int(answer.json()["accepted"])

    def last_number(self) -> int:
        """Return the number of the log's last entry."""
        query = {"limit": 1, "after": 2**40}
        return int(self.http.get("/control/log", params=query).raise_for_status().json()["last"])

    def clear_log(self) -> None:
        self.http.delete("/control/log").raise_for_status()

    def reset(self) -> None:
        """Remove all rules and empty the log."""
        self.behave()
        self.clear_log()

    def person(self, chat: str, act: str, **given: object) -> dict:
        """Let the person of a Telegram chat write, press, block, unblock, delete or migrate."""
        answer = self.http.post(f"/control/telegram/chats/{chat}/{act}", json=given)
        return answer.raise_for_status().json()

    def chat(self, chat: str) -> dict:
        """Return what the person sees in a Telegram chat."""
        return self.http.get(f"/control/telegram/chats/{chat}").raise_for_status().json()

    def close(self) -> None:
        self.http.close()


class SimulatorProcess(Simulator):
    """Starts `python -m sandbox.simulator` on free ports."""

    def __init__(self, *options: str) -> None:
        ports = ("--http-port", "0", "--smtp-port", "0")
        command = [sys.executable, "-m", "sandbox.simulator", *ports, *options]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.started: dict = json.loads(self.process.stdout.readline())
        self.http_port: int = self.started["http_port"]
        self.smtp_port: int = self.started["smtp_port"]
        super().__init__(f"http://127.0.0.1:{self.http_port}")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End the process, even if it hangs, and return its exit code."""
        self.close()
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(timeout=5)
        finally:
            self.process.kill()
            assert self.process.stdout is not None
            self.process.stdout.close()
