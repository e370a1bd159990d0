"""What every benchmark needs: real servers in a folder that is thrown away, and processes that end."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from sandbox.system.child_process import end  # noqa: E402
from sandbox.system.postgres import Postgres  # noqa: E402
from sandbox.system.start import free_port  # noqa: E402
from sandbox.system.valkey import Valkey  # noqa: E402


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
def process(*command: str, **env: str) -> Iterator["subprocess.Popen[str]"]:
    """Run a Python process of this checkout while the block runs."""
    running = subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT,
        env=os.environ | env,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield running
    finally:
        end(running, within_s=30)


@contextmanager
def simulator() -> Iterator[str]:
    """Run the provider simulator and yield its URL; the environment points the transports at it."""
    with process("-m", "sandbox.simulator", "--http-port", "0", "--smtp-port", "0") as running:
        assert running.stdout is not None
        started = json.loads(running.stdout.readline())
        url = f"http://127.0.0.1:{started['http_port']}"
        os.environ |= {"TELEGRAM_API_URL": f"{url}/bot", "TELEGRAM_BOT_TOKEN": "1000:simulated"}
        yield url


def people(count: int, *, with_telegram: bool) -> list[str]:
    """Create persons and return their external ids."""
    from django.utils import timezone

    from notifications.states import Channel
    from users.models import Destination, User

    users = User.objects.bulk_create(
        [User(username=f"p{number}", external_id=f"p{number}", password="!") for number in range(count)]
    )
    if with_telegram:
        destinations = [
            Destination(user=user, kind=Channel.TELEGRAM, verified_at=timezone.now()) for user in users
        ]
        for number, destination in enumerate(destinations):
            destination.set_address(str(10_000 + number))
        Destination.objects.bulk_create(destinations)
    return [user.external_id for user in users]


def source() -> object:
    from users.models import Source

    return Source.objects.create(name="bench", allow_stream=True)


def report(title: str, ours: float, peer: float, unit: str, peer_name: str) -> None:
    ratio = f"ratio {ours / peer:.2f}"
    print(f"{title}: {ours:,.0f} {unit}; {peer_name}: {peer:,.0f} {unit}; {ratio}", flush=True)
