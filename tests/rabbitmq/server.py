"""A RabbitMQ of the tests' own: free ports, its own node, folder and cookie, on loopback only."""

import os
import shutil
import signal
from pathlib import Path

import kombu

from sandbox.system.start import HOST, free_port
from tests.kit.eventually import eventually
from tests.kit.processes import Child

INSTALL = "apt-get install rabbitmq-server (stop the system's own broker: the tests start theirs)"
_STARTS = (Path("/usr/lib/rabbitmq/bin/rabbitmq-server"),)  # not /usr/sbin's, which changes the user

_WITHIN_S = 60


def binary() -> str | None:
    """Return the script that starts a broker as the current user, or None where it is not installed."""
    given = os.environ.get("RABBITMQ_SERVER")
    found = [str(path) for path in _STARTS if path.exists()]
    return given or (found[0] if found else None)


class RabbitMQ:
    """One node. `kill` and `start` again keep what was on disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self._dist_port, self._epmd_port = free_port(0), free_port(0), free_port(0)
        self.url = f"amqp://guest:guest@{HOST}:{self.port}//"
        self.settled_at = 0.0  # by the monotonic clock: when its queues may be killed
        self._processes: list[Child] = []

    def start(self) -> "RabbitMQ":
        """Start the node and wait until it answers."""
        for name in ("home", "data", "log"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "enabled_plugins").write_text("[].\n")
        # One small node: few schedulers, small journals, no statistics.
        (self.folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = {HOST}:{self.port}\n"
            "vm_memory_high_watermark.absolute = 512MB\n"
            "disk_free_limit.absolute = 10MB\n"
            "raft.wal_max_size_bytes = 8000000\n"
            "log.file.level = warning\n"
        )
        if not self._processes:
            self._run(["epmd", "-address", HOST, "-port", str(self._epmd_port)], "epmd")
        self._run([str(binary())], "node")
        node = self._processes[-1]
        eventually(lambda: not node.running() or self._answers(), _WITHIN_S, what="RabbitMQ answers")
        assert node.running(), node.log_text()
        return self

    def _run(self, command: list[str], name: str) -> None:
        log = self.folder / "log" / f"{name}.output"
        self._processes.append(Child(name, command, self._environment(), log))
        self._processes[-1].start()

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder / "home"),  # of the Erlang cookie
            "LANG": "C.UTF-8",
            "ERL_CRASH_DUMP": str(self.folder / "erl_crash.dump"),
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": HOST,
            "RABBITMQ_NODENAME": f"tocsin-test-{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": HOST,
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "RABBITMQ_BASE": str(self.folder),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_PID_FILE": str(self.folder / "node.pid"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "none"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "+S 1:1 +sbwt none -kernel inet_dist_use_interface {127,0,0,1}"
            ),
        }

    def _answers(self) -> bool:
        try:
            with kombu.Connection(self.url, connect_timeout=2) as connection:
                connection.connect()
        except (OSError, *kombu.Connection(self.url).connection_errors):
            return False
        return True

    def kill(self) -> None:
        """Kill the node as a power cut would."""
        self._processes.pop().stop(signal.SIGKILL)

    def stop(self) -> None:
        for process in reversed(self._processes):
            process.stop(signal.SIGKILL)  # nobody needs its data
        self._processes.clear()
        shutil.rmtree(self.folder, ignore_errors=True)
