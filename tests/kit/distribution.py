"""How a run on several processes is divided: what shares a running system stays together and comes first."""

from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

# In the order in which they start: those that take longest first, so that all processes end at the same time.
_TOGETHER = (
    "tests/faults/test_faults_short.py",
    "tests/rabbitmq/",
    "tests/journeys/",
    "tests/clients/test_",
    "tests/sandbox/system/",
    "tests/gateway/web/test_health.py",
)


class Distribution(LoadFileScheduling):
    """By file, as modules share fixtures; some folders share a running system as well."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return next((start for start in _TOGETHER if file.startswith(start)), file)

    def _assign_work_unit(self, node: WorkerController) -> None:
        first = next((start for start in _TOGETHER if start in self.workqueue), "")
        if first:
            self.workqueue.move_to_end(first, last=False)
        super()._assign_work_unit(node)
