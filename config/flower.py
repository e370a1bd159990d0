"""Flower with all pages protected by its login and all workers shown: `celery -A config.flower flower`."""

import flower.app
import flower.command
from flower.views import monitor
from tornado.ioloop import PeriodicCallback
from tornado.web import authenticated

from config.celery import app as app  # what `-A` looks for

_LOOK_EVERY_MS = 1000


class Metrics(monitor.Metrics):  # type: ignore[misc]
    get = authenticated(monitor.Metrics.get)


class Healthcheck(monitor.Healthcheck):  # type: ignore[misc]
    get = authenticated(monitor.Healthcheck.get)


class Flower(flower.app.Flower):  # type: ignore[misc]
    """It asks each worker for its queues when it first hears of it, and not only at its own start."""

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)
        self._asking = PeriodicCallback(self._ask_newcomers, _LOOK_EVERY_MS)
        prefix = f"/{self.options.url_prefix.strip('/')}" if self.options.url_prefix else ""
        self.add_handlers(".*", [(f"{prefix}/metrics", Metrics), (f"{prefix}/healthcheck", Healthcheck)])

    def start(self) -> None:
        self._asking.start()
        super().start()

    def _ask_newcomers(self) -> None:
        """Ask those whose heartbeats came and whose answer did not: started later, or slow to answer."""
        alive = [name for name, worker in self.events.state.workers.items() if worker.alive]
        if any(_ANSWERS - self.workers.get(name, {}).keys() for name in alive):
            self.update_workers()


_ANSWERS = {"stats", "active_queues", "registered", "conf"}  # what Flower asks of all at its start

flower.command.Flower = Flower
