"""The whole system as separate processes on free ports, in a temporary folder."""

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import redis

from config.env import ROOT
from sandbox.system.postgres import Postgres
from sandbox.system.start import HOST, free_port
from sandbox.system.valkey import Valkey
from tests.faults.proxy import Proxy
from tests.kit.eventually import eventually
from tests.kit.processes import Child, Supervisor, answers
from tests.kit.sign_in import JWT_KEY_SETTING
from tests.kit.simulator import Simulator

WORKER_CHILDREN = 2  # of each worker process

_KEPT = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "TMPDIR", "VALKEY_SERVER")


@dataclass(frozen=True, slots=True)
class Size:
    """How large a run is. `environment` makes leases and waits short where a run has to be quick."""

    name: str
    events: int
    persons: int
    workers: int
    settle_s: float  # after the last fault everything has ended within this
    environment: dict[str, str] = field(default_factory=dict)


FULL = Size("full", events=20_000, persons=2_000, workers=3, settle_s=300)
SHORT = Size(
    "short",
    events=300,
    persons=40,
    workers=2,
    settle_s=45,
    environment={
        "TOCSIN_LEASE_S": "8",
        "CELERY_TASK_TIME_LIMIT": "7",
        "CELERY_TASK_SOFT_TIME_LIMIT": "6",
        "TOCSIN_SEND_TIMEOUT_S": "3",
        "TOCSIN_BATCH_BUDGET_S": "2",
        "TOCSIN_UNKNOWN_BACKOFF_S": "2",
        "TOCSIN_RING_AGAIN_S": "6",
        "TOCSIN_RETRY_SCALE": "0.5",
        "TOCSIN_ACK_TIMEOUT_MS": "2000",
        "TOCSIN_RESYNC_S": "3",
    },
)
SIZES = {size.name: size for size in (FULL, SHORT)}


class FaultSystem:
    """Postgres, Valkey, the simulator, web, workers, control worker, beat and the stream ingress.

    A name in `proxied` ("postgres", "valkey", "telegram") puts a proxy of `proxies` before that server.
    """

    def __init__(self, size: Size, *, proxied: Iterable[str] = (), **environment: str) -> None:
        self.size = size
        self.home = Path(tempfile.mkdtemp(prefix="tocsin-faults-"))
        self.home.chmod(0o755)
        (self.home / "logs").mkdir()
        (self.home / "logs").chmod(0o777)
        self.postgres = Postgres(self.home, "faults", free_port(0), fast=size is SHORT)
        self.valkey = Valkey(self.home, "faults", free_port(0))
        self.port, self.simulator_port, self._smtp_port = free_port(0), free_port(0), free_port(0)
        self.url = f"http://{HOST}:{self.port}"
        self.simulator = Simulator(f"http://{HOST}:{self.simulator_port}")
        self.simulator_log = self.home / "simulator.jsonl"
        self.supervisor = Supervisor()
        ports = {
            "postgres": self.postgres.port,
            "valkey": self.valkey.port,
            "telegram": self.simulator_port,
        }
        self.proxies = {name: Proxy(ports[name]) for name in proxied}
        reached_by = ports | {name: proxy.port for name, proxy in self.proxies.items()}
        inherited = {name: os.environ[name] for name in _KEPT if name in os.environ}
        self.environment = inherited | self._settings(reached_by) | size.environment | environment

    def _settings(self, ports: dict[str, int]) -> dict[str, str]:
        """Return the environment of every process; `ports` are those of the servers, or of their proxies."""
        return {
            "DJANGO_SETTINGS_MODULE": "config.settings.development",
            "TOCSIN_HOME": str(self.home),
            "SECRET_KEY": secrets.token_urlsafe(48),
            "FIELD_ENCRYPTION_KEYS": urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "DATABASE_URL": f"postgres://postgres:faults@{HOST}:{ports['postgres']}/tocsin",
            "REDIS_URL": f"redis://:faults@{HOST}:{ports['valkey']}/0",
            "SANDBOX_URL": self.simulator.url,
            "TELEGRAM_API_URL": f"http://{HOST}:{ports['telegram']}/bot",
            "TELEGRAM_BOT_TOKEN": "1000:simulated",
            "EMAIL_URL": f"smtp://{HOST}:{self._smtp_port}",
            "CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT": "3",
            "TOCSIN_TELEGRAM_PER_S": "0",  # the faults are the subject; limits have a scenario of their own
            "TOCSIN_SOCKETS_PER_ADDRESS": "0",  # all clients are on this machine; A1 sets it
            "REMAP_SIGTERM": "SIGQUIT",
            **JWT_KEY_SETTING,
            "PYTHONUNBUFFERED": "1",
            "PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir()) / "tocsin-bytecode"),
            "TOCSIN_CRASH_LOG": str(self.crash_log),
        }

    @property
    def crash_log(self) -> Path:
        return self.home / "crashes.log"

    # --- start and stop ---------------------------------------------------------------------------------
    def start(self) -> "FaultSystem":
        try:
            self.postgres.start()
            self.valkey.start()
            done = subprocess.run(
                [sys.executable, "-m", "tests.faults.prepare", str(self.size.persons)],
                cwd=ROOT,
                env=self.environment,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                raise RuntimeError(done.stderr[-2000:])
            self.api_key = done.stdout.split()[-1]
            for name, (command, ready_when) in self._commands().items():
                environment = self.environment | _own_environment(name)
                log = self.home / "logs" / f"{name}.log"
                self.supervisor.add(Child(name, command, environment, log, ready_when))
            self.until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def _commands(self) -> dict[str, tuple[list[str], str]]:
        python = sys.executable
        celery = [python, "-m", "celery", "-A", "config.celery"]
        worker = [*celery, "worker", "--without-mingle", "-l", "INFO"]
        deliver = [*worker, "-Q", "critical,normal", "-c", str(WORKER_CHILDREN)]
        simulator = ["--http-port", str(self.simulator_port), "--smtp-port", str(self._smtp_port)]
        server = [python, "-m", "gateway.server", "-b", HOST, "-p", str(self.port)]
        return {
            "simulator": (
                [python, "-m", "sandbox.simulator", *simulator, "--log", str(self.simulator_log)],
                "sandbox_started",
            ),
            "web": ([*server, "config.asgi:application"], ""),
            **{
                f"worker{number}": ([*deliver, "-n", f"worker{number}@%h"], " ready.")
                for number in range(1, self.size.workers + 1)
            },
            "control": ([*worker, "-Q", "control", "-n", "control@%h", "-P", "solo"], " ready."),
            "beat": ([*celery, "beat", "--pidfile=", "-l", "INFO"], "beat: Starting"),
            "streams": (
                [python, "manage.py", "ingest_streams", "--consumer", "streams"],
                "stream_ingress_started",
            ),
        }

    @property
    def workers(self) -> list[str]:
        return [name for name in self.supervisor.children if name.startswith("worker")]

    def until_ready(self, *, within_s: float = 60) -> None:
        eventually(self._ready, within_s, what="the system is ready", every_s=0.05)

    def _ready(self) -> bool:
        return all(child.ready() for child in self.supervisor.children.values()) and self.answers()

    def answers(self) -> bool:
        return answers(f"{self.url}/readyz")

    def heal(self) -> None:
        """Bring everything back that a scenario has broken, for the next one."""
        for proxy in self.proxies.values():
            proxy.heal()
        self.simulator.behave()
        for name, child in self.supervisor.children.items():
            child.send(signal.SIGCONT)
            if "TOCSIN_CRASH" in child.environment:
                self.supervisor.restart(name, TOCSIN_CRASH="", TOCSIN_CRASH_AT_MOST="")
        self.until_ready()

    def stop(self) -> dict[str, int | None]:
        self.simulator.close()
        codes = self.supervisor.stop()
        for server in (self.valkey, self.postgres):
            server.stop()
        for proxy in self.proxies.values():
            proxy.close()
        if not os.environ.get("TOCSIN_CHAOS_KEEP"):
            shutil.rmtree(self.home, ignore_errors=True)
        return codes

    # --- the servers, past any proxy --------------------------------------------------------------------
    def query(self, sql: str, *values: object) -> list[tuple]:
        with psycopg.connect(self.postgres.url(), connect_timeout=5) as connection:
            return connection.execute(sql, values).fetchall()

    def execute(self, sql: str) -> None:
        with psycopg.connect(self.postgres.url(), connect_timeout=5) as connection:
            connection.execute(sql)

    def redis(self) -> "redis.Redis":
        return redis.Redis.from_url(self.valkey.url, socket_timeout=5)

    def written_log(self) -> Path:
        """Return the simulator's file once it holds all of the simulator's entries so far."""
        last = self.simulator.last_number()
        eventually(lambda: _last_number(self.simulator_log) >= last, within_s=10, what="the log is on disk")
        return self.simulator_log

    def kill_postgres(self) -> None:
        """End Postgres at once, as `pg_ctl stop -m immediate` does: no checkpoint, open work is lost."""
        process = self.postgres._process
        assert process is not None
        process.send_signal(signal.SIGQUIT)
        process.wait(20)

    def kill_valkey(self) -> None:
        """Kill Valkey and what it had on disk: it comes back empty."""
        process = self.valkey._process
        assert process is not None
        process.kill()
        process.wait(20)
        shutil.rmtree(self.home / "valkey", ignore_errors=True)


def _own_environment(name: str) -> dict[str, str]:
    """Return what the Procfile sets for this process alone."""
    return {"DATABASE_POOL_SIZE": "0"} if name == "control" or name.startswith("worker") else {}


def _last_number(log: Path) -> int:
    """Return the number of the last whole line."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 65_536))
        lines = file.read().rpartition(b"\n")[0].splitlines()
    return int(json.loads(lines[-1])["n"]) if lines else 0
