"""The servers that are compared: ours on Daphne and on uvicorn, a Channels consumer on Daphne, and nchan."""

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import jwt
import redis
from crowd import Hello
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from system import ROOT, free_port

from sandbox.system.child_process import end

_KEY = Ed25519PrivateKey.generate()
_PUBLIC = _KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
_TICK = os.sysconf("SC_CLK_TCK")
# A benchmark opens more sockets at once than a gateway should let anybody do.
_LIMITS = {"TOCSIN_AUTH_WITHIN_S": "120"}


@dataclass(slots=True)
class Gateway:
    """A running server and how clients reach it."""

    pid: int
    port: int

    def cpu_s(self) -> float:
        """Return the CPU time it has used so far, all its threads and children."""
        return sum(_cpu_s(pid) for pid in (self.pid, *_children(self.pid)))

    def rss_kib(self) -> int:
        """Return its resident memory."""
        return sum(_rss_kib(pid) for pid in (self.pid, *_children(self.pid)))


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def _rss_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def hello_of(external_id: str, **more: str) -> Hello:
    """Return how a person's client comes in: a token in its first frame."""
    claims = {"sub": external_id, "aud": "tocsin", "exp": int(time.time()) + 800}
    token = jwt.encode(claims, _KEY, algorithm="EdDSA")
    return Hello("/ws/native", f'{{"type":"auth","token":"{token}"}}', b'"type":"ready"', **more)


@contextmanager
def ours(server: str = "daphne") -> Iterator[Gateway]:
    """Run our gateway as the Procfile does, or on uvicorn."""
    port = free_port(0)
    if server == "daphne":
        line = next(line for line in (ROOT / "Procfile").read_text().splitlines() if line.startswith("web:"))
        command = shlex.split(line.removeprefix("web:").replace("$PORT", str(port)))[1:]
    else:
        command = ["-m", "uvicorn", "--port", str(port), "--log-level", "error", "config.asgi:application"]
    env = _LIMITS | {"JWT_PUBLIC_KEYS": _PUBLIC.replace("\n", "\\n")}
    with _running([sys.executable, *command], port, **env) as gateway:
        yield gateway


@contextmanager
def channels_peer() -> Iterator[Gateway]:
    port = free_port(0)
    command = ["-m", "daphne", "-p", str(port), "-v", "0", "channels_peer:application"]
    with _running([sys.executable, *command], port, PYTHONPATH=str(Path(__file__).parent)) as gateway:
        yield gateway


def nginx_binary() -> str:
    """Return Debian's nginx with the nchan module, or "" where it is not installed."""
    module = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")
    return shutil.which("nginx", path="/usr/sbin:/usr/bin") or "" if module.exists() else ""


_NGINX = """
load_module /usr/lib/nginx/modules/ngx_nchan_module.so;
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 12000; }}
http {{
    access_log off;
    client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
    uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    keepalive_requests 100000000; keepalive_timeout 600s; tcp_nodelay on;
    nchan_max_reserved_memory 256m;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location = /pub {{ nchan_publisher; nchan_channel_id $arg_id; nchan_message_buffer_length 0;
                           }}
        location ~ /sub/(.+)$ {{ nchan_subscriber websocket; nchan_channel_id $1;
                                nchan_subscriber_first_message newest; }}
    }}
}}
"""


@contextmanager
def nchan() -> Iterator[Gateway]:
    """Run nginx with one worker and its own configuration, in a folder that is thrown away."""
    folder, port = Path(tempfile.mkdtemp(prefix="tocsin-nchan-")), free_port(0)
    config = folder / "nginx.conf"
    text = _NGINX.format(folder=folder, port=port)
    config.write_text(text + ("" if os.geteuid() else "user root;\n"))
    try:
        with _running([nginx_binary(), "-c", str(config), "-p", str(folder)], port) as gateway:
            yield gateway
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _running(command: list[str], port: int, **env: str) -> Iterator[Gateway]:
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, cwd=ROOT, env=os.environ | env, stdout=log, stderr=log)
        try:
            _await_port(process, port)
            yield Gateway(process.pid, port)
        except SystemExit:
            log.seek(0)
            sys.stderr.write(log.read()[-3000:].decode(errors="replace"))
            raise
        finally:
            end(process, within_s=20)


def _await_port(process: "subprocess.Popen[bytes]", port: int) -> None:
    import socket

    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit("a server did not start")


def subscribed(channel: str) -> bool:
    """Return whether a gateway process is subscribed to this channel."""
    client = redis.Redis.from_url(os.environ["REDIS_URL"])
    return bool(client.pubsub_numsub(channel)[0][1])
