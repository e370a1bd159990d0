"""The servers that are compared: ours on Daphne and on uvicorn, a Channels consumer on Daphne, and nchan."""

import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import redis

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from crowd import Hello
from system import ROOT, cpu_s, free_port, process, running_command

from tests.kit.sign_in import JWT_KEY_SETTING, token_for

# A benchmark opens more sockets at once than a gateway should allow.
_LIMITS = {"TOCSIN_AUTH_WITHIN_S": "120"}


@dataclass(slots=True)
class Gateway:
    """A running server and how clients reach it."""

    pid: int
    port: int

    def cpu_s(self) -> float:
        """Return the CPU time it has used so far, including its children."""
        return cpu_s(self.pid)

    def rss_kib(self) -> int:
        """Return its resident memory."""
        leader = psutil.Process(self.pid)
        return sum(each.memory_info().rss for each in (leader, *leader.children())) // 1024


def hello_of(external_id: str, **more: str) -> Hello:
    """Return how a person's client connects: with a token in its first frame."""
    return Hello(
        "/ws/native", f'{{"type":"auth","token":"{token_for(external_id)}"}}', b'"type":"ready"', **more
    )


@contextmanager
def ours(server: str = "daphne") -> Iterator[Gateway]:
    """Run our gateway as the Procfile does, or on uvicorn."""
    port = free_port(0)
    if server == "daphne":
        line = next(line for line in (ROOT / "Procfile").read_text().splitlines() if line.startswith("web:"))
        command = shlex.split(line.removeprefix("web:").replace("$PORT", str(port)))[1:]
    else:
        command = ["-m", "uvicorn", "--port", str(port), "--log-level", "error", "config.asgi:application"]
    with process(*command, port=port, **_LIMITS, **JWT_KEY_SETTING) as child:
        yield Gateway(child.pid, port)


@contextmanager
def channels_peer() -> Iterator[Gateway]:
    port = free_port(0)
    command = ["-m", "daphne", "-p", str(port), "-v", "0", "channels_peer:application"]
    with process(*command, port=port, PYTHONPATH=str(Path(__file__).parent)) as child:
        yield Gateway(child.pid, port)


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
    """Run nginx with one worker and its own configuration, in a temporary folder."""
    folder, port = Path(tempfile.mkdtemp(prefix="tocsin-nchan-")), free_port(0)
    config = folder / "nginx.conf"
    text = _NGINX.format(folder=folder, port=port)
    config.write_text(text + ("" if os.geteuid() else "user root;\n"))
    try:
        with running_command([nginx_binary(), "-c", str(config), "-p", str(folder)], port) as child:
            yield Gateway(child.pid, port)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def subscribed(channel: str) -> bool:
    """Return whether a gateway process is subscribed to this channel."""
    client = redis.Redis.from_url(os.environ["REDIS_URL"])
    return bool(client.pubsub_numsub(channel)[0][1])
