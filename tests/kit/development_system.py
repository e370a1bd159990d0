"""The real system: `python -m sandbox.system` with servers of its own, as `make run` starts it."""

import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import redis

from config.env import ROOT
from tests.kit.eventually import eventually
from tests.kit.simulator import Simulator

MARKER = "marker-0815-of-a-payload"
_KEPT = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "TMPDIR", "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX")


class System:
    """One running development system, as a producer, an operator and a tester use it."""

    def __init__(self, home: Path, *processes: str, **environment: str) -> None:
        self.home = home
        env = {name: os.environ[name] for name in _KEPT if name in os.environ}
        if env.pop("PYTHONDONTWRITEBYTECODE", ""):  # eight processes would compile everything again
            env.setdefault("PYTHONPYCACHEPREFIX", str(Path(tempfile.gettempdir()) / "tocsin-bytecode"))
        home.parent.mkdir(exist_ok=True)
        self.output_file = home.parent / f"{home.name}-{uuid.uuid4()}.output"
        with self.output_file.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "sandbox.system", *processes],
                cwd=ROOT,
                env=env | {"TOCSIN_HOME": str(home)} | environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        return self.output_file.read_text()

    def wait_until_ready(self) -> "System":
        eventually(lambda: (self.home / "ready").exists() or self.process.poll() is not None, within_s=90)
        assert self.process.poll() is None, self.output
        lines = (self.home / "dev.env").read_text().splitlines()
        self.values = dict(line.split("=", 1) for line in lines)
        self.url = f"http://127.0.0.1:{self.values['PORT']}"
        self.api = httpx.Client(
            base_url=f"{self.url}/api/v1",
            headers={"Authorization": f"Bearer {self.values['DEMO_API_KEY']}"},
            timeout=35,
            trust_env=False,
        )
        self.simulator = Simulator(self.values["SANDBOX_URL"])
        return self

    @contextmanager
    def signed_in(self) -> Iterator[httpx.Client]:
        """Give a client with a browser session of the demo person."""
        form = {"username": "demo", "password": self.values["DEMO_PASSWORD"]}
        with httpx.Client(base_url=self.url, timeout=10, trust_env=False, follow_redirects=True) as client:
            client.get("/login/").raise_for_status()
            form["csrfmiddlewaretoken"] = client.cookies["csrftoken"]
            assert client.post("/login/", data=form, headers={"Referer": self.url}).url.path == "/"
            yield client

    # --- a producer -------------------------------------------------------------------------------------
    def event(self, **fields: object) -> dict:
        """Return a CRITICAL event for the demo person, with a payload that must not be logged."""
        return {
            "event_id": f"journey-{uuid.uuid4()}",
            "user_id": "demo",
            "timestamp": int(time.time() * 1000),
            "event_type": "ORDER_FILLED",
            "payload": {"symbol": "BTC/USDT", "side": "buy", "fill_quantity": "0.5", "note": MARKER},
            "delivery": {"priority": "CRITICAL"},
        } | fields

    def publish(self, *, wait_s: float = 20, **fields: object) -> dict:
        """Publish one CRITICAL event; return its ack, which is final unless it took longer than `wait_s`."""
        answer = self.api.post("/events", params={"wait": wait_s}, json=self.event(**fields))
        assert answer.is_success, answer.text
        return answer.json()

    def story(self, event_id: str) -> dict:
        return self.api.get(f"/events/{event_id}").raise_for_status().json()

    def fresh(self) -> None:
        """Let the providers work and forget; setting the mode also enables the person's chat again."""
        self.simulator.behave()
        with self.signed_in() as person:
            token = {"X-CSRFToken": person.cookies["csrftoken"], "Referer": self.url}
            person.put("/demo/provider/telegram", json={"mode": "works"}, headers=token).raise_for_status()
        self.simulator.clear_log()
        shared = redis.Redis.from_url(self.values["REDIS_URL"])
        for key in shared.scan_iter("breaker.*"):  # an earlier story's outage is not this one's
            shared.delete(key)

    # --- its end ----------------------------------------------------------------------------------------
    def stop(self, *signals: signal.Signals) -> int:
        """Send signals as a terminal does, to all of its group; wait for the end, return the exit code."""
        for name in ("api", "simulator"):
            if hasattr(self, name):
                getattr(self, name).close()
        for number in signals:
            os.killpg(self.process.pid, number)
            time.sleep(0.3)
        return self.wait()

    def wait(self) -> int:
        return self.process.wait(40)

    def kill(self) -> None:
        """Kill the remaining processes, after a failed test."""
        for process in self.left_over():
            process.kill()

    def left_over(self) -> list[psutil.Process]:
        """Return the processes of this system that still run: they carry its home, or work in it."""
        return [process for process in psutil.process_iter() if _belongs(process, self.home)]

    @classmethod
    @contextmanager
    def started(cls, home: Path, *processes: str, **environment: str) -> Iterator["System"]:
        """Run a system while the block runs; it must exit with 0, leave no process and log no secret."""
        system = cls(home, *processes, **environment)
        try:
            yield system.wait_until_ready()
            leaks = system.leaks()
            code = system.stop(signal.SIGINT)
            left_over = system.left_over()
        finally:
            system.kill()
        assert code == 0, system.output
        assert left_over == []
        assert leaks == []

    def logged(self, process: str) -> str:
        return (self.home / "logs" / f"{process}.log").read_text(errors="replace")

    def leaks(self) -> list[str]:
        """Return the addresses, secrets and payloads found in the logs; none must be there."""
        names = (
            "DEMO_PASSWORD",
            "POSTGRES_PASSWORD",
            "VALKEY_PASSWORD",
            "SECRET_KEY",
            "FIELD_ENCRYPTION_KEYS",
        )
        secrets = {name: self.values[name] for name in names} | {
            "e-mail address": "demo@example.org",
            "chat id": "100200300",
            "bot token": self.values["TELEGRAM_BOT_TOKEN"],
            "API key": self.values["DEMO_API_KEY"].split("_", 2)[2],
            "payload": MARKER,
        }
        return [
            f"{name} in {path.name}"
            for path in sorted((self.home / "logs").iterdir())
            for name, secret in secrets.items()
            if secret in path.read_text(errors="replace")
        ]


def _belongs(process: psutil.Process, home: Path) -> bool:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        # Valkey writes its title over its environment.
        return process.environ().get("TOCSIN_HOME") == str(home) or Path(process.cwd()).is_relative_to(home)
    except psutil.Error:
        return False
