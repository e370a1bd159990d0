"""What every benchmark needs: real servers in a temporary folder, and processes that are stopped."""

import os
import shutil
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from sandbox.system.postgres import Postgres  # noqa: E402
from sandbox.system.start import free_port  # noqa: E402
from sandbox.system.valkey import Valkey  # noqa: E402
from tests.kit.processes import Child, listens, running  # noqa: E402
from tests.kit.simulator import Simulator, SimulatorProcess  # noqa: E402


@contextmanager
def servers() -> Iterator[None]:
    """Start Postgres (commits on disk, as in production) and Valkey, configure Django, migrate."""
    folder = Path(tempfile.mkdtemp(prefix="tocsin-bench-"))
    folder.chmod(0o755)
    postgres = Postgres(folder, "bench", free_port(0))
    valkey = Valkey(folder, "bench", free_port(0))
    try:
        postgres.start()
        valkey.start()
        os.environ |= {
            "DATABASE_URL": postgres.url(),
            "REDIS_URL": valkey.url,
            "DJANGO_SETTINGS_MODULE": "config.settings.test",
            "LOG_LEVEL": "ERROR",
            "TOCSIN_HOME": str(folder),
        }
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        yield
    finally:
        for server in (valkey, postgres):
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def process(*arguments: str, port: int = 0, **env: str) -> Iterator[Child]:
    """Run Python in this checkout while the block runs; with a port, once something listens there."""
    with running_command([sys.executable, *arguments], port, **env) as child:
        yield child


@contextmanager
def running_command(command: list[str], port: int, **env: str) -> Iterator[Child]:
    log = Path(os.environ["TOCSIN_HOME"]) / f"{Path(command[0]).name}-{uuid.uuid4().hex[:8]}.log"
    with running(command, log, lambda: not port or listens(port), environment=os.environ | env) as child:
        yield child


def cpu_s(pid: int) -> float:
    """Return the CPU time that a process and its children have used so far."""
    leader = psutil.Process(pid)
    used = [each.cpu_times() for each in (leader, *leader.children())]
    return sum(times.user + times.system for times in used)


@contextmanager
def simulator() -> Iterator[Simulator]:
    """Run the provider simulator; the environment points the transports at it."""
    running = SimulatorProcess()
    os.environ |= {"TELEGRAM_API_URL": f"{running.url}/bot", "TELEGRAM_BOT_TOKEN": "1000:simulated"}
    try:
        yield running
    finally:
        running.stop()


def people(count: int, *, with_telegram: bool) -> list[str]:
    """Create persons and return their external ids."""
    from tests.kit.people import create_people

    return [user.external_id for user in create_people(count, chats=with_telegram)]


def source() -> object:
    from users.models import Source

    return Source.objects.create(name="bench", allow_stream=True)


def report(title: str, ours: float, peer: float, unit: str, peer_name: str) -> None:
    ratio = f"ratio {ours / peer:.2f}"
    print(f"{title}: {ours:,.0f} {unit}; {peer_name}: {peer:,.0f} {unit}; {ratio}", flush=True)
