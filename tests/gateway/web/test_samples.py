"""Every event type of the first contract has a payload to show."""

import json
import re

import pytest

from config.env import ROOT
from gateway.web.samples import SAMPLES

WORDING = ROOT / "notifications" / "rendering" / "templates" / "wording"

FIRST_CONTRACT = [
    "ORDER_PLACED",
    "ORDER_FILLED",
    "ORDER_CANCELLED",
    "ORDER_REJECTED",
    "ORDER_EXPIRED",
    "ALERT_TRIGGERED",
    "ALERT_CREATED",
    "ALERT_DELETED",
    "POSITION_OPENED",
    "POSITION_CLOSED",
    "POSITION_UPDATED",
    "POSITION_LIQUIDATED",
    "WORKSPACE_CHANGED",
    "CHART_ANNOTATION_ADDED",
    "CHART_ANNOTATION_REMOVED",
    "INDICATOR_UPDATED",
    "STRATEGY_STARTED",
    "STRATEGY_STOPPED",
    "STRATEGY_LOG",
    "STRATEGY_ERROR",
    "BACKTEST_COMPLETED",
    "CONTAINER_STARTING",
    "CONTAINER_READY",
    "CONTAINER_SHUTTING_DOWN",
    "EVENT_ERROR",
]

MESSAGES = {
    "ORDER": """order_id symbol side order_type quantity price fill_price fill_quantity status exchange
        timestamp strategy_id error_message""",
    "ALERT": "alert_id symbol condition triggered_price timestamp",
    "POSITION": """position_id symbol side size entry_price current_price unrealized_pnl realized_pnl leverage
        liquidation_price exchange timestamp""",
    "WORKSPACE CHART INDICATOR": """workspace_id change_type symbol timeframe annotation_id annotation_type
        annotation_data indicator_name indicator_params timestamp""",
    "STRATEGY": "strategy_id strategy_name log_level message details timestamp",
    "BACKTEST": """backtest_id strategy_id strategy_name symbol timeframe start_time end_time total_trades
        winning_trades losing_trades total_pnl win_rate sharpe_ratio max_drawdown results_path
        completed_at""",
    "CONTAINER EVENT": "message details timestamp",
}
INTEGERS = {"timestamp", "start_time", "end_time", "completed_at"}
INTEGERS |= {"total_trades", "winning_trades", "losing_trades"}


def test_there_is_one_sample_for_each_type_of_the_first_contract() -> None:
    assert list(SAMPLES) == FIRST_CONTRACT


@pytest.mark.parametrize("event_type", FIRST_CONTRACT)
def test_a_sample_has_the_fields_of_its_payload_message(event_type: str) -> None:
    family = event_type.partition("_")[0]
    (allowed,) = (set(fields.split()) for families, fields in MESSAGES.items() if family in families.split())
    sample = SAMPLES[event_type]

    assert set(sample) <= allowed
    assert json.loads(json.dumps(sample)) == sample
    assert {name for name, value in sample.items() if isinstance(value, int)} == set(sample) & INTEGERS


@pytest.mark.parametrize("event_type", FIRST_CONTRACT)
def test_each_type_has_a_wording_of_its_own(event_type: str) -> None:
    assert (WORDING / f"{event_type.lower()}.txt").is_file()


def test_wordings_use_only_fields_that_a_sample_of_the_type_or_its_family_can_have() -> None:
    for event_type in FIRST_CONTRACT:
        family = event_type.partition("_")[0]
        if family in {"CONTAINER", "EVENT"}:  # no payload message
            continue
        (allowed,) = (set(text.split()) for names, text in MESSAGES.items() if family in names.split())
        source = (WORDING / f"{event_type.lower()}.txt").read_text()
        for part in re.findall(r'include "(wording/parts/\w+\.txt)"', source):
            source += (WORDING.parent / part).read_text()
        used = set(re.findall(r"payload\.(\w+)", source)) | set(re.findall(r'pairs:"(\w+)"', source))
        assert used <= allowed, event_type
