"""A worker whose Redis answers and refuses: it waits, as for a lost connection, and comes back."""

import os
import shutil
import signal
import sys
from contextlib import contextmanager

import pytest
import redis
from kombu import Connection
from kombu.exceptions import OperationalError

from notifications import tasks
from notifications.operations import canary
from sandbox.system.start import free_port
from sandbox.system.valkey import Valkey
from tests.kit.eventually import eventually
from tests.kit.processes import Child, running

NOWHERE = "127.0.0.1 1"


class Server:
    """A Valkey that can be told to refuse, and a worker that consumes from it."""

    def __init__(self, valkey: Valkey, worker: Child) -> None:
        self.client = redis.Redis.from_url(valkey.url, socket_timeout=5)
        self.valkey = valkey
        self.worker = worker

    def consumes(self) -> bool:
        """Publish a canary; return whether the worker has handled one since its key was deleted."""
        with Connection(self.valkey.url) as broker:
            tasks.canary_through.apply_async(kwargs={"queue": "normal"}, queue="normal", connection=broker)
        return self.client.exists(canary.key("normal")) == 1

    def until_it_consumes(self) -> None:
        self.client.delete(canary.key("normal"))
        eventually(self.consumes, within_s=40, what="the worker consumes", every_s=0.5)

    def attempts(self) -> int:
        """Return how often the worker tried in vain to connect."""
        return self.worker.log_text().count("Cannot connect to redis")

    @contextmanager
    def configured(self, **settings: str):
        before = {name: self.client.config_get(name)[name] for name in settings}
        self.client.config_set(*[word for item in settings.items() for word in item])
        try:
            yield
        finally:
            self.client.config_set(*[word for item in before.items() for word in item])


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("refusing")
    valkey = Valkey(folder, "test", free_port(0))
    valkey.start()
    environment = dict(os.environ) | {
        "DJANGO_SETTINGS_MODULE": "config.settings.test",
        "REDIS_URL": valkey.url,
        "CELERY_BROKER_URL": valkey.url,
        "DATABASE_POOL_SIZE": "0",
    }
    celery = [sys.executable, "-m", "celery", "-A", "config.celery", "worker", "--without-mingle"]
    command = [*celery, "-Q", "normal,control", "-n", "refused@%h", "-P", "solo"]
    try:
        with running(command, folder / "worker.log", environment=environment) as worker:
            found = Server(valkey, worker)
            found.until_it_consumes()
            yield found
            print(worker.log_text()[-6000:])
    finally:
        valkey.stop()
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def demoted(server: Server):
    server.client.replicaof("127.0.0.1", 1)
    try:
        yield
    finally:
        server.client.replicaof("NO", "ONE")


@contextmanager
def demoted_and_stale(server: Server):
    with server.configured(**{"replica-serve-stale-data": "no"}), demoted(server):
        yield


@contextmanager
def full(server: Server):
    with server.configured(maxmemory="1"):
        yield


@contextmanager
def without_replicas(server: Server):
    with server.configured(**{"min-replicas-to-write": "1"}):
        yield


@contextmanager
def without_a_snapshot(server: Server):
    """A background save that failed stops all writes (MISCONF)."""
    with server.configured(save="3600 1"):
        blocked = server.valkey.folder / "valkey" / "dump.rdb"
        blocked.mkdir()
        server.client.bgsave()
        eventually(lambda: server.client.info("persistence")["rdb_last_bgsave_status"] != "ok")
        yield
        blocked.rmdir()
        server.client.bgsave()
        eventually(lambda: server.client.info("persistence")["rdb_last_bgsave_status"] == "ok")


@contextmanager
def busy(server: Server):
    """A script that does not end: after a while everybody is told BUSY."""
    with server.configured(**{"busy-reply-threshold": "100"}):
        script = redis.Redis.from_url(server.valkey.url).connection_pool.get_connection()
        script.send_command("EVAL", "while true do end", 0)
        try:
            yield
        finally:
            eventually(lambda: killed(server), what="the script ends")
            script.disconnect()


def killed(server: Server) -> bool:
    """Kill the script, and return whether it has ended: the kill is answered a little before that."""
    try:
        server.client.script_kill()
    except redis.ResponseError as error:
        return "NOTBUSY" in str(error)
    return False


@contextmanager
def without_a_right(server: Server):
    server.client.acl_setuser("default", enabled=True, reset_keys=False, commands=["-set", "-brpop"])
    yield
    server.client.acl_setuser("default", enabled=True, commands=["+set", "+brpop"])


REFUSALS = [demoted, demoted_and_stale, full, without_replicas, without_a_snapshot, busy, without_a_right]


@pytest.mark.parametrize("refusing", REFUSALS, ids=lambda refusing: refusing.__name__)
def test_a_worker_waits_for_a_server_that_refuses_and_comes_back(server: Server, refusing) -> None:
    """It is halted before, so that it wakes up to a message that it cannot take as usual."""
    server.worker.send(signal.SIGSTOP)
    server.consumes()
    before = server.attempts()
    with refusing(server):
        server.worker.send(signal.SIGCONT)
        eventually(lambda: server.attempts() > before, within_s=20, what="the worker notices")
        assert server.worker.running()
    server.until_it_consumes()
    assert server.worker.running()


@pytest.mark.parametrize("refusing", [demoted, full, without_replicas], ids=lambda each: each.__name__)
def test_a_publisher_is_told_as_if_the_broker_were_away(server: Server, refusing) -> None:
    with refusing(server), Connection(server.valkey.url) as broker, pytest.raises(OperationalError):
        tasks.canary_through.apply_async(kwargs={"queue": "normal"}, queue="normal", connection=broker)
