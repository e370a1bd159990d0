"""Every number on the wire, written out: none may move, whatever happens to the schema or to the baseline.

`FIRST_*` is the schema of the first producers, `ADDED_*` is what came later. A number added to the schema is
added to `ADDED_*`; nothing here is ever changed or deleted.
"""

import subprocess
import sys
from pathlib import Path
from typing import TypeVar

import pytest
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet

from proto.tocsin.v1 import user_events_pb2

Fields = dict[str, dict[str, tuple[int, str]]]
Values = dict[str, dict[str, int]]
T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[2]

FIRST_FIELDS: Fields = {
    "UserEvent": {
        "user_id": (1, "string"),
        "event_id": (2, "string"),
        "timestamp": (3, "int64"),
        "event_type": (4, "EventType"),
        "payload": (5, "bytes"),
        "delivery": (6, "DeliverySpec"),
    },
    "DeliverySpec": {
        "priority": (1, "Priority"),
        "channels": (2, "repeated ChannelPreference"),
    },
    "ChannelPreference": {
        "channel": (1, "ChannelType"),
        "only_if_active": (2, "bool"),
    },
    "EventAck": {
        "event_id": (1, "string"),
        "status": (2, "AckStatus"),
        "error_message": (3, "string"),
        "delivered_via": (4, "ChannelType"),
    },
    "OrderEventPayload": {
        "order_id": (1, "string"),
        "symbol": (2, "string"),
        "side": (3, "string"),
        "order_type": (4, "string"),
        "quantity": (5, "string"),
        "price": (6, "string"),
        "fill_price": (7, "string"),
        "fill_quantity": (8, "string"),
        "status": (9, "string"),
        "exchange": (10, "string"),
        "timestamp": (11, "int64"),
        "strategy_id": (12, "string"),
        "error_message": (13, "string"),
    },
    "AlertEventPayload": {
        "alert_id": (1, "string"),
        "symbol": (2, "string"),
        "condition": (3, "string"),
        "triggered_price": (4, "string"),
        "timestamp": (5, "int64"),
    },
    "PositionEventPayload": {
        "position_id": (1, "string"),
        "symbol": (2, "string"),
        "side": (3, "string"),
        "size": (4, "string"),
        "entry_price": (5, "string"),
        "current_price": (6, "string"),
        "unrealized_pnl": (7, "string"),
        "realized_pnl": (8, "string"),
        "leverage": (9, "string"),
        "liquidation_price": (10, "string"),
        "exchange": (11, "string"),
        "timestamp": (12, "int64"),
    },
    "WorkspaceEventPayload": {
        "workspace_id": (1, "string"),
        "change_type": (2, "string"),
        "symbol": (3, "string"),
        "timeframe": (4, "string"),
        "annotation_id": (5, "string"),
        "annotation_type": (6, "string"),
        "annotation_data": (7, "string"),
        "indicator_name": (8, "string"),
        "indicator_params": (9, "string"),
        "timestamp": (10, "int64"),
    },
    "StrategyEventPayload": {
        "strategy_id": (1, "string"),
        "strategy_name": (2, "string"),
        "log_level": (3, "string"),
        "message": (4, "string"),
        "details": (5, "string"),
        "timestamp": (6, "int64"),
    },
    "BacktestEventPayload": {
        "backtest_id": (1, "string"),
        "strategy_id": (2, "string"),
        "strategy_name": (3, "string"),
        "symbol": (4, "string"),
        "timeframe": (5, "string"),
        "start_time": (6, "int64"),
        "end_time": (7, "int64"),
        "total_trades": (8, "int32"),
        "winning_trades": (9, "int32"),
        "losing_trades": (10, "int32"),
        "total_pnl": (11, "string"),
        "win_rate": (12, "string"),
        "sharpe_ratio": (13, "string"),
        "max_drawdown": (14, "string"),
        "results_path": (15, "string"),
        "completed_at": (16, "int64"),
    },
}

FIRST_VALUES: Values = {
    "EventType": {
        "ORDER_PLACED": 0,
        "ORDER_FILLED": 1,
        "ORDER_CANCELLED": 2,
        "ORDER_REJECTED": 3,
        "ORDER_EXPIRED": 4,
        "ALERT_TRIGGERED": 10,
        "ALERT_CREATED": 11,
        "ALERT_DELETED": 12,
        "POSITION_OPENED": 20,
        "POSITION_CLOSED": 21,
        "POSITION_UPDATED": 22,
        "POSITION_LIQUIDATED": 23,
        "WORKSPACE_CHANGED": 30,
        "CHART_ANNOTATION_ADDED": 31,
        "CHART_ANNOTATION_REMOVED": 32,
        "INDICATOR_UPDATED": 33,
        "STRATEGY_STARTED": 40,
        "STRATEGY_STOPPED": 41,
        "STRATEGY_LOG": 42,
        "STRATEGY_ERROR": 43,
        "BACKTEST_COMPLETED": 44,
        "CONTAINER_STARTING": 50,
        "CONTAINER_READY": 51,
        "CONTAINER_SHUTTING_DOWN": 52,
        "EVENT_ERROR": 53,
    },
    "Priority": {
        "INFORMATIONAL": 0,
        "NORMAL": 1,
        "CRITICAL": 2,
    },
    "ChannelType": {
        "ACTIVE_SESSION": 0,
        "WEB": 1,
        "TELEGRAM": 2,
        "EMAIL": 3,
        "PUSH": 4,
        "DISCORD": 5,
        "SLACK": 6,
    },
    "AckStatus": {
        "DELIVERED": 0,
        "QUEUED": 1,
        "ACK_ERROR": 2,
    },
}

ADDED_FIELDS: Fields = {
    "UserEvent": {
        "type_name": (7, "string"),
        "source": (8, "string"),
        "schema_version": (9, "uint32"),
        "expires_at": (10, "int64"),
        "collapse_key": (11, "string"),
        "ordering_key": (12, "string"),
        "version": (13, "int64"),
        "metadata": (14, "map<string, string>"),
        "topic": (15, "string"),
        "correlation_id": (16, "string"),
        "ack_timeout_ms": (17, "uint32"),
    },
    "EventAck": {
        "evidence": (5, "Evidence"),
        "final": (6, "bool"),
        "duplicate": (7, "bool"),
        "seq": (8, "int64"),
        "at": (9, "int64"),
        "outcomes": (10, "repeated ChannelOutcome"),
        "code": (11, "string"),
        "counts": (12, "map<string, int32>"),
    },
    "ChannelOutcome": {
        "channel": (1, "ChannelType"),
        "state": (2, "string"),
        "reason": (3, "string"),
    },
    "UserEventBatch": {
        "events": (1, "repeated UserEvent"),
    },
    "EventAckBatch": {
        "acks": (1, "repeated EventAck"),
    },
    "SignedEnvelope": {
        "source": (1, "string"),
        "key_id": (2, "string"),
        "issued_at": (3, "int64"),
        "nonce": (4, "bytes"),
        "body": (5, "bytes"),
        "signature": (6, "bytes"),
    },
    "TradeEventPayload": {
        "trade_id": (1, "string"),
        "order_id": (2, "string"),
        "symbol": (3, "string"),
        "side": (4, "string"),
        "role": (5, "string"),
        "traded_at": (6, "int64"),
    },
    "BalanceEventPayload": {
        "asset": (1, "string"),
        "avail": (2, "string"),
        "frozen": (3, "string"),
    },
}

ADDED_VALUES: Values = {
    "EventType": {
        "BALANCE_UPDATED": 60,
        "TRADE_EXECUTED": 61,
        "TRADING_SIGNAL": 62,
        "RISK_ALERT": 63,
        "PORTFOLIO_UPDATED": 64,
        "MARKET_DATA_UPDATED": 65,
        "ORDER_EXECUTED": 66,
        "ORDER_UPDATED": 67,
        "MARKET_REGIME_CHANGED": 68,
        "ML_MODEL_UPDATED": 70,
        "RL_MODEL_UPDATED": 71,
        "RL_ACTION_TAKEN": 72,
        "FEATURE_VECTOR_UPDATED": 73,
        "ALTERNATIVE_DATA_UPDATED": 80,
        "SENTIMENT_DATA_UPDATED": 81,
        "ONCHAIN_DATA_UPDATED": 82,
        "ECONOMIC_DATA_UPDATED": 83,
        "BACKTEST_REQUESTED": 86,
        "MULTI_SYMBOL_BACKTEST_REQUESTED": 87,
        "STRATEGY_OPTIMIZATION_REQUESTED": 88,
        "SYSTEM_HEALTH": 90,
        "CUSTOM": 1000,
    },
    "ChannelType": {
        "WEBHOOK": 7,
    },
    "Evidence": {
        "EVIDENCE_UNSPECIFIED": 0,
        "EVIDENCE_TRANSPORT": 1,
        "EVIDENCE_CLIENT": 2,
        "EVIDENCE_HUMAN": 3,
    },
}


def described(file: FileDescriptorProto) -> tuple[Fields, Values]:
    """The numbers of a schema in the form of the tables above."""
    fields = {
        message.name: {field.name: (field.number, spelled(field, message.name)) for field in message.field}
        for message in file.message_type
    }
    values = {enum.name: {value.name: value.number for value in enum.value} for enum in file.enum_type}
    return fields, values


def spelled(field: FieldDescriptorProto, message: str) -> str:
    """A field's type as the schema spells it."""
    repeated = field.label == FieldDescriptorProto.LABEL_REPEATED
    if field.type_name == f".tocsin.v1.{message}.CountsEntry":
        return "map<string, int32>"
    if field.type_name == f".tocsin.v1.{message}.MetadataEntry":
        return "map<string, string>"
    plain = FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()
    name = field.type_name.removeprefix(".tocsin.v1.") or plain
    return f"repeated {name}" if repeated else name


def merged(first: dict[str, dict[str, T]], added: dict[str, dict[str, T]]) -> dict[str, dict[str, T]]:
    return {name: first.get(name, {}) | added.get(name, {}) for name in first.keys() | added.keys()}


@pytest.fixture(scope="module")
def schema() -> FileDescriptorProto:
    file = FileDescriptorProto()
    user_events_pb2.DESCRIPTOR.CopyToProto(file)
    return file


@pytest.fixture(scope="module")
def baseline(tmp_path_factory: pytest.TempPathFactory) -> FileDescriptorProto:
    out = tmp_path_factory.mktemp("baseline") / "baseline.bin"
    command = [
        sys.executable,
        "-m",
        "grpc_tools.protoc",
        "-I",
        "proto/baseline",
        f"--descriptor_set_out={out}",
    ]
    subprocess.run([*command, "proto/baseline/tocsin/v1/user_events.proto"], cwd=ROOT, check=True)
    return FileDescriptorSet.FromString(out.read_bytes()).file[0]


def test_the_baseline_is_the_first_schema(baseline: FileDescriptorProto) -> None:
    assert described(baseline) == (FIRST_FIELDS, FIRST_VALUES)


@pytest.mark.parametrize("message", FIRST_FIELDS)
def test_fields_of_the_first_schema_keep_number_and_type(schema: FileDescriptorProto, message: str) -> None:
    now, _ = described(schema)
    assert {name: now[message].get(name) for name in FIRST_FIELDS[message]} == FIRST_FIELDS[message]


@pytest.mark.parametrize("enum", FIRST_VALUES)
def test_values_of_the_first_schema_keep_their_number(schema: FileDescriptorProto, enum: str) -> None:
    _, now = described(schema)
    assert {name: now[enum].get(name) for name in FIRST_VALUES[enum]} == FIRST_VALUES[enum]


def test_the_schema_is_the_first_one_and_what_was_added(schema: FileDescriptorProto) -> None:
    fields, values = described(schema)
    assert fields == merged(FIRST_FIELDS, ADDED_FIELDS)
    assert values == merged(FIRST_VALUES, ADDED_VALUES)


def test_added_event_types_stay_in_their_range() -> None:
    added = set(ADDED_VALUES["EventType"].values())
    assert added <= {*range(60, 100), 1000}
