"""One system for all short scenarios: its start costs as much as a scenario."""

from collections.abc import Iterator

import pytest

from tests.faults.system import SHORT, FaultSystem


@pytest.fixture(scope="module")
def fault_system() -> Iterator[FaultSystem]:
    system = FaultSystem(SHORT, TOCSIN_BREAKER_SHARE="2").start()
    yield system
    system.stop()
