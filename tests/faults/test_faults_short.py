"""The short size of the release gate; `make chaos` runs every row at its full size."""

import pytest

from tests.faults import run, scenarios
from tests.faults.run import SCENARIOS, perform, table

scenarios.register()
SHORT_ROWS = ("L1", "L2", "L4", "L5", "D2", "D3", "D4", "O3", "K1", "K3")

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]


@pytest.mark.parametrize("name", SHORT_ROWS)
def test_the_guarantee_holds_under(name, fault_system):
    fault_system.heal()
    result = perform(SCENARIOS[name], fault_system, seed=1)
    print(run.table(result))
    assert result.holds, f"\n{table(result)}"
