"""Many clients in a process of their own, as a scenario sees them."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import aiohttp
import psutil

from config.env import ROOT
from tests.faults.producers import HttpProducer


class StampedProducer(HttpProducer):
    """Writes into each event when it was sent first, so that a client can tell how long it took."""

    async def _post(self, session: aiohttp.ClientSession, items: list[dict]) -> list[dict]:
        for item in items:
            item["payload"].setdefault("sent_ms", int(time.time() * 1000))
        return await super()._post(session, items)


class Crowd:
    """`roles`: person → reader, slow, writer or flooder (tests/faults/crowd_process.py)."""

    def __init__(self, home: Path, port: int, roles: dict[str, str], token: Callable[[str], str]) -> None:
        self._log = home / "crowd.jsonl"
        members = [{"person": person, "token": token(person), "role": role} for person, role in roles.items()]
        plan = home / "crowd.json"
        plan.write_text(json.dumps({"port": port, "members": members}))
        self._size = len(roles)
        self.roles = roles
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.crowd_process", str(plan), str(self._log)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            text=True,
        )
        self._usage = psutil.Process(self._process.pid)
        self._since = time.monotonic()

    def tell(self, command: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()

    def all_open(self) -> bool:
        return len({entry["person"] for entry in self.entries("ready")}) == self._size

    def entries(self, what: str, *, role: str = "") -> list[dict]:
        """Return what the members have logged so far."""
        if not self._log.exists():
            return []
        wanted, found = f'{{"what": "{what}"', []
        with self._log.open() as lines:
            for line in lines:
                if line.startswith(wanted) and line.endswith("\n"):
                    entry = json.loads(line)
                    if not role or self.roles[entry["person"]] == role:
                        found.append(entry)
        return found

    @property
    def seen(self) -> set[str]:
        """Return the events received as notifications, without the inbox copies of events ended elsewhere."""
        return {entry["event_id"] for entry in self.entries("event") if entry["awaited"]}

    def cpu_share(self) -> float:
        """Return how much of one core this process has used so far."""
        times = self._usage.cpu_times()
        return (times.user + times.system) / (time.monotonic() - self._since)

    def stop(self) -> None:
        if self._process.poll() is None:
            self.tell("stop")
            try:
                self._process.wait(15)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
