"""A worker whose Redis answers and refuses: it waits, as for a lost connection, and comes back."""

import logging
import os
import shutil
import signal
import sys
from collections.abc import Callable
from contextlib import contextmanager

import psutil
import pytest
import redis
from kombu import Connection, Consumer, Exchange, Message, Queue
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

    def publish(self, canaries: int = 1) -> None:
        with Connection(self.valkey.url) as broker:
            for _ in range(canaries):
                tasks.canary_through.apply_async(
                    kwargs={"queue": "normal"}, queue="normal", connection=broker
                )

    def consumes(self) -> bool:
        """Publish a canary; return whether the worker has handled one since its key was deleted."""
        self.publish()
        return self.client.exists(canary.key("normal")) == 1

    def until_it_consumes(self) -> None:
        self.client.delete(canary.key("normal"))
        eventually(self.consumes, within_s=40, what="the worker consumes", every_s=0.5)

    def halt_while_it_waits(self) -> None:
        """Halt the worker while it waits for a message, and give it one."""
        eventually(lambda: self.halted(self.is_waiting), what="the worker is halted while it waits")
        self.publish()

    def halt_at_work(self) -> None:
        """Halt the worker between taking a message and acknowledging it."""
        self.client.delete("unacked")  # what was refused before is still there
        eventually(lambda: self.publish(10) or self.halted(self.is_at_work), what="it is halted at work")

    def halted(self, as_wanted: Callable[[], bool]) -> bool:
        """Halt the worker; let it go on if it is not as wanted, and return whether it is."""
        self.worker.send(signal.SIGSTOP)
        eventually(lambda: psutil.Process(self.worker.pid).status() == psutil.STATUS_STOPPED)
        self.client.ping()  # after it, whatever the worker had sent before is done
        if not (halted := as_wanted()):
            self.worker.send(signal.SIGCONT)
        return halted

    def is_waiting(self) -> bool:
        return self.client.info("clients")["blocked_clients"] == 1

    def is_at_work(self) -> bool:
        return self.client.hlen("unacked") == 1

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
def with_a_worker(tmp_path_factory):
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
    # One at a time. A heartbeat that is refused is repeated until the server is back, and logs nothing.
    command = [
        *celery,
        "--without-heartbeat",
        "-Q",
        "normal,control",
        "-n",
        "refused@%h",
        "-P",
        "solo",
        "-c",
        "1",
    ]
    try:
        with running(command, folder / "worker.log", environment=environment) as worker:
            found = Server(valkey, worker)
            found.until_it_consumes()
            yield found
    finally:
        valkey.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def server(with_a_worker: Server):
    """The server; what its worker logs meanwhile is shown if the test fails."""
    before = len(with_a_worker.worker.log_text())
    yield with_a_worker
    print(with_a_worker.worker.log_text()[before:])


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
    """It wakes up to a message that it cannot take as usual."""
    server.halt_while_it_waits()
    notices_and_comes_back(server, refusing)


def test_a_worker_whose_acknowledgement_is_refused_waits_and_comes_back(server: Server) -> None:
    server.halt_at_work()
    notices_and_comes_back(server, without_replicas)


def notices_and_comes_back(server: Server, refusing) -> None:
    before = server.attempts()
    with refusing(server):
        server.worker.send(signal.SIGCONT)
        eventually(lambda: server.attempts() > before, within_s=20, what="the worker notices")
        assert server.worker.running()
    server.until_it_consumes()
    assert server.worker.running()


def acknowledge(message: Message) -> None:
    message.ack_log_error(logging.getLogger(__name__), redis.ResponseError)


def reject(message: Message) -> None:
    message.reject_log_error(logging.getLogger(__name__), redis.ResponseError)


def requeue(message: Message) -> None:
    message.reject_log_error(logging.getLogger(__name__), redis.ResponseError, requeue=True)


@pytest.mark.parametrize("done_with", [acknowledge, reject, requeue], ids=lambda done: done.__name__)
def test_a_refused_acknowledgement_leaves_room_for_the_next_message(server: Server, done_with) -> None:
    queue = Queue("one_at_a_time", Exchange("one_at_a_time"), routing_key="one_at_a_time")
    taken: list[Message] = []
    with Connection(server.valkey.url) as broker:
        consumer = Consumer(broker, [queue], on_message=taken.append, prefetch_count=1)
        for _ in range(2):
            broker.Producer().publish("", exchange=queue.exchange, routing_key=queue.routing_key)
        consumer.consume()
        broker.drain_events(timeout=5)
        with without_replicas(server):
            done_with(taken[0])
        broker.drain_events(timeout=5)
        assert len(taken) == 2
        taken[1].ack()


def test_a_connection_that_is_given_up_closes_also_while_the_server_refuses(server: Server) -> None:
    def open_here() -> int:
        return sum(client["name"] == "given-up" for client in server.client.client_list())

    broker = Connection(server.valkey.url, transport_options={"client_name": "given-up"})
    everyone = Exchange("everyone", type="fanout")
    for name in ("first", "second"):  # as Celery's remote control and gossip do
        queue = Queue(name, everyone, auto_delete=True)
        Consumer(broker.channel(), [queue], on_message=print).consume()
    broker.drain_events(timeout=5)  # the answer to a subscription
    assert open_here()
    with without_replicas(server):
        broker.collect()
        eventually(lambda: not open_here(), what="every connection is closed")


@pytest.mark.parametrize("refusing", [demoted, full, without_replicas], ids=lambda each: each.__name__)
def test_a_publisher_is_told_as_if_the_broker_were_away(server: Server, refusing) -> None:
    with refusing(server), Connection(server.valkey.url) as broker, pytest.raises(OperationalError):
        tasks.canary_through.apply_async(kwargs={"queue": "normal"}, queue="normal", connection=broker)
