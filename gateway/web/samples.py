"""One realistic payload per event type of the original contract, for the demo's buttons and the tests."""

from typing import Any

_AT_MS = 1_763_650_800_000  # 20 Nov 2025, 15:00:00 UTC

_ORDER: dict[str, Any] = {
    "order_id": "ord-7f3a91",
    "symbol": "BTC/USDT",
    "side": "buy",
    "order_type": "limit",
    "quantity": "0.5",
    "price": "64300.00",
    "status": "open",
    "exchange": "binance",
    "timestamp": _AT_MS,
    "strategy_id": "grid-btc",
}
_ALERT: dict[str, Any] = {
    "alert_id": "alr-204",
    "symbol": "BTC/USDT",
    "condition": "BTC > 65000",
    "timestamp": _AT_MS,
}
_POSITION: dict[str, Any] = {
    "position_id": "pos-5512",
    "symbol": "ETH/USDT",
    "side": "long",
    "size": "12.5",
    "entry_price": "3010.40",
    "current_price": "3010.40",
    "leverage": "5",
    "liquidation_price": "2436.10",
    "exchange": "bybit",
    "timestamp": _AT_MS,
}
_CHART: dict[str, Any] = {
    "workspace_id": "ws-main",
    "symbol": "BTC/USDT",
    "timeframe": "4h",
    "timestamp": _AT_MS,
}
_ANNOTATION = {"annotation_id": "ann-77", "annotation_type": "trendline"}
_STRATEGY: dict[str, Any] = {
    "strategy_id": "grid-btc",
    "strategy_name": "Grid BTC",
    "log_level": "info",
    "timestamp": _AT_MS,
}

SAMPLES: dict[str, dict[str, Any]] = {
    "ORDER_PLACED": _ORDER,
    "ORDER_FILLED": {
        **_ORDER,
        "fill_price": "64250.00",
        "fill_quantity": "0.5",
        "status": "filled",
    },
    "ORDER_CANCELLED": {
        **_ORDER,
        "fill_price": "64298.50",
        "fill_quantity": "0.2",
        "status": "cancelled",
    },
    "ORDER_REJECTED": {
        **_ORDER,
        "status": "rejected",
        "error_message": "Insufficient balance: 32150.00 USDT needed, 18204.77 available",
    },
    "ORDER_EXPIRED": {**_ORDER, "status": "expired"},
    "ALERT_TRIGGERED": {**_ALERT, "triggered_price": "65012.50"},
    "ALERT_CREATED": _ALERT,
    "ALERT_DELETED": _ALERT,
    "POSITION_OPENED": _POSITION,
    "POSITION_CLOSED": {
        **_POSITION,
        "current_price": "3145.75",
        "realized_pnl": "1691.88",
    },
    "POSITION_UPDATED": {
        **_POSITION,
        "current_price": "3088.20",
        "unrealized_pnl": "972.50",
    },
    "POSITION_LIQUIDATED": {
        **_POSITION,
        "current_price": "2436.10",
        "realized_pnl": "-7178.75",
    },
    "WORKSPACE_CHANGED": {**_CHART, "change_type": "timeframe_changed"},
    "CHART_ANNOTATION_ADDED": {
        **_CHART,
        **_ANNOTATION,
        "change_type": "annotation_added",
        "annotation_data": '{"from": {"price": "61200.00"}, "to": {"price": "65800.00"}, "color": "orange"}',
    },
    "CHART_ANNOTATION_REMOVED": {
        **_CHART,
        **_ANNOTATION,
        "change_type": "annotation_removed",
    },
    "INDICATOR_UPDATED": {
        **_CHART,
        "change_type": "indicator_updated",
        "indicator_name": "RSI",
        "indicator_params": '{"length": 14, "source": "close"}',
    },
    "STRATEGY_STARTED": {
        **_STRATEGY,
        "message": "Running on BTC/USDT with 12 grid levels",
    },
    "STRATEGY_STOPPED": {
        **_STRATEGY,
        "message": "Stopped by you; 3 open orders were cancelled",
    },
    "STRATEGY_LOG": {
        **_STRATEGY,
        "message": "Grid moved up by one level",
        "details": '{"lower": "62000.00", "upper": "66000.00"}',
    },
    "STRATEGY_ERROR": {
        **_STRATEGY,
        "log_level": "error",
        "message": "Exchange did not answer in time; trading is paused",
        "details": '{"exchange": "binance", "retries": 3}',
    },
    "BACKTEST_COMPLETED": {
        "backtest_id": "bt-0193",
        "strategy_id": "grid-btc",
        "strategy_name": "Grid BTC",
        "symbol": "BTC/USDT",
        "timeframe": "1h",
        "start_time": 1_735_689_600_000,
        "end_time": 1_761_955_200_000,
        "total_trades": 1218,
        "winning_trades": 711,
        "losing_trades": 507,
        "total_pnl": "12340.55",
        "win_rate": "0.5837",
        "sharpe_ratio": "1.84",
        "max_drawdown": "0.121",
        "results_path": "results/bt-0193.parquet",
        "completed_at": _AT_MS,
    },
    # The contract defines no payload message for system events.
    "CONTAINER_STARTING": {
        "message": "Starting; strategies resume when it is ready",
        "timestamp": _AT_MS,
    },
    "CONTAINER_READY": {"message": "Ready; 2 strategies resumed", "timestamp": _AT_MS},
    "CONTAINER_SHUTTING_DOWN": {
        "message": "Idle for 30 minutes; strategies are saved and stopped",
        "timestamp": _AT_MS,
    },
    "EVENT_ERROR": {
        "message": "An alert could not be evaluated",
        "details": '{"alert_id": "alr-204", "error": "no price for BTC/USDT"}',
        "timestamp": _AT_MS,
    },
}
