from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

ACK_ERROR: AckStatus
ACTION_KIND_ACKNOWLEDGE: ActionKind
ACTION_KIND_LINK: ActionKind
ACTION_KIND_UNSPECIFIED: ActionKind
ACTIVE_SESSION: ChannelType
ALERT_CREATED: EventType
ALERT_DELETED: EventType
ALERT_TRIGGERED: EventType
ALTERNATIVE_DATA_UPDATED: EventType
BACKTEST_COMPLETED: EventType
BACKTEST_REQUESTED: EventType
BALANCE_UPDATED: EventType
CHART_ANNOTATION_ADDED: EventType
CHART_ANNOTATION_REMOVED: EventType
CONTAINER_READY: EventType
CONTAINER_SHUTTING_DOWN: EventType
CONTAINER_STARTING: EventType
CRITICAL: Priority
CUSTOM: EventType
DELIVERED: AckStatus
DESCRIPTOR: _descriptor.FileDescriptor
DISCORD: ChannelType
ECONOMIC_DATA_UPDATED: EventType
EMAIL: ChannelType
EVENT_ERROR: EventType
EVIDENCE_CLIENT: Evidence
EVIDENCE_HUMAN: Evidence
EVIDENCE_TRANSPORT: Evidence
EVIDENCE_UNSPECIFIED: Evidence
FEATURE_VECTOR_UPDATED: EventType
INDICATOR_UPDATED: EventType
INFORMATIONAL: Priority
MARKET_DATA_UPDATED: EventType
MARKET_REGIME_CHANGED: EventType
ML_MODEL_UPDATED: EventType
MULTI_SYMBOL_BACKTEST_REQUESTED: EventType
NORMAL: Priority
ONCHAIN_DATA_UPDATED: EventType
ORDER_CANCELLED: EventType
ORDER_EXECUTED: EventType
ORDER_EXPIRED: EventType
ORDER_FILLED: EventType
ORDER_PLACED: EventType
ORDER_REJECTED: EventType
ORDER_UPDATED: EventType
PORTFOLIO_UPDATED: EventType
POSITION_CLOSED: EventType
POSITION_LIQUIDATED: EventType
POSITION_OPENED: EventType
POSITION_UPDATED: EventType
PUSH: ChannelType
QUEUED: AckStatus
RISK_ALERT: EventType
RL_ACTION_TAKEN: EventType
RL_MODEL_UPDATED: EventType
SENTIMENT_DATA_UPDATED: EventType
SLACK: ChannelType
STRATEGY_ERROR: EventType
STRATEGY_LOG: EventType
STRATEGY_OPTIMIZATION_REQUESTED: EventType
STRATEGY_STARTED: EventType
STRATEGY_STOPPED: EventType
SYSTEM_HEALTH: EventType
TELEGRAM: ChannelType
TRADE_EXECUTED: EventType
TRADING_SIGNAL: EventType
WEB: ChannelType
WEBHOOK: ChannelType
WORKSPACE_CHANGED: EventType

class AlertEventPayload(_message.Message):
    __slots__ = ["alert_id", "condition", "symbol", "timestamp", "triggered_price"]
    ALERT_ID_FIELD_NUMBER: _ClassVar[int]
    CONDITION_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    TRIGGERED_PRICE_FIELD_NUMBER: _ClassVar[int]
    alert_id: str
    condition: str
    symbol: str
    timestamp: int
    triggered_price: str
    def __init__(self, alert_id: _Optional[str] = ..., symbol: _Optional[str] = ..., condition: _Optional[str] = ..., triggered_price: _Optional[str] = ..., timestamp: _Optional[int] = ...) -> None: ...

class BacktestEventPayload(_message.Message):
    __slots__ = ["backtest_id", "completed_at", "end_time", "losing_trades", "max_drawdown", "results_path", "sharpe_ratio", "start_time", "strategy_id", "strategy_name", "symbol", "timeframe", "total_pnl", "total_trades", "win_rate", "winning_trades"]
    BACKTEST_ID_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_AT_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    LOSING_TRADES_FIELD_NUMBER: _ClassVar[int]
    MAX_DRAWDOWN_FIELD_NUMBER: _ClassVar[int]
    RESULTS_PATH_FIELD_NUMBER: _ClassVar[int]
    SHARPE_RATIO_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_NAME_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    TIMEFRAME_FIELD_NUMBER: _ClassVar[int]
    TOTAL_PNL_FIELD_NUMBER: _ClassVar[int]
    TOTAL_TRADES_FIELD_NUMBER: _ClassVar[int]
    WINNING_TRADES_FIELD_NUMBER: _ClassVar[int]
    WIN_RATE_FIELD_NUMBER: _ClassVar[int]
    backtest_id: str
    completed_at: int
    end_time: int
    losing_trades: int
    max_drawdown: str
    results_path: str
    sharpe_ratio: str
    start_time: int
    strategy_id: str
    strategy_name: str
    symbol: str
    timeframe: str
    total_pnl: str
    total_trades: int
    win_rate: str
    winning_trades: int
    def __init__(self, backtest_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., strategy_name: _Optional[str] = ..., symbol: _Optional[str] = ..., timeframe: _Optional[str] = ..., start_time: _Optional[int] = ..., end_time: _Optional[int] = ..., total_trades: _Optional[int] = ..., winning_trades: _Optional[int] = ..., losing_trades: _Optional[int] = ..., total_pnl: _Optional[str] = ..., win_rate: _Optional[str] = ..., sharpe_ratio: _Optional[str] = ..., max_drawdown: _Optional[str] = ..., results_path: _Optional[str] = ..., completed_at: _Optional[int] = ...) -> None: ...

class BalanceEventPayload(_message.Message):
    __slots__ = ["asset", "avail", "frozen"]
    ASSET_FIELD_NUMBER: _ClassVar[int]
    AVAIL_FIELD_NUMBER: _ClassVar[int]
    FROZEN_FIELD_NUMBER: _ClassVar[int]
    asset: str
    avail: str
    frozen: str
    def __init__(self, asset: _Optional[str] = ..., avail: _Optional[str] = ..., frozen: _Optional[str] = ...) -> None: ...

class ChannelOutcome(_message.Message):
    __slots__ = ["channel", "reason", "state"]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    channel: ChannelType
    reason: str
    state: str
    def __init__(self, channel: _Optional[_Union[ChannelType, str]] = ..., state: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class ChannelPreference(_message.Message):
    __slots__ = ["channel", "only_if_active"]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    ONLY_IF_ACTIVE_FIELD_NUMBER: _ClassVar[int]
    channel: ChannelType
    only_if_active: bool
    def __init__(self, channel: _Optional[_Union[ChannelType, str]] = ..., only_if_active: bool = ...) -> None: ...

class Content(_message.Message):
    __slots__ = ["actions", "body", "image", "title", "url"]
    ACTIONS_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    actions: _containers.RepeatedCompositeFieldContainer[ContentAction]
    body: str
    image: str
    title: str
    url: str
    def __init__(self, title: _Optional[str] = ..., body: _Optional[str] = ..., url: _Optional[str] = ..., image: _Optional[str] = ..., actions: _Optional[_Iterable[_Union[ContentAction, _Mapping]]] = ...) -> None: ...

class ContentAction(_message.Message):
    __slots__ = ["kind", "label", "url"]
    KIND_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    kind: ActionKind
    label: str
    url: str
    def __init__(self, label: _Optional[str] = ..., url: _Optional[str] = ..., kind: _Optional[_Union[ActionKind, str]] = ...) -> None: ...

class DeliverySpec(_message.Message):
    __slots__ = ["channels", "priority"]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    channels: _containers.RepeatedCompositeFieldContainer[ChannelPreference]
    priority: Priority
    def __init__(self, priority: _Optional[_Union[Priority, str]] = ..., channels: _Optional[_Iterable[_Union[ChannelPreference, _Mapping]]] = ...) -> None: ...

class EventAck(_message.Message):
    __slots__ = ["at", "code", "counts", "delivered_via", "detail", "duplicate", "error_message", "event_id", "evidence", "field", "final", "outcomes", "seq", "simulated", "state", "status", "superseded_by"]
    class CountsEntry(_message.Message):
        __slots__ = ["key", "value"]
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    AT_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    DELIVERED_VIA_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    DUPLICATE_FIELD_NUMBER: _ClassVar[int]
    ERROR_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    FINAL_FIELD_NUMBER: _ClassVar[int]
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    SIMULATED_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    SUPERSEDED_BY_FIELD_NUMBER: _ClassVar[int]
    at: int
    code: str
    counts: _containers.ScalarMap[str, int]
    delivered_via: ChannelType
    detail: str
    duplicate: bool
    error_message: str
    event_id: str
    evidence: Evidence
    field: str
    final: bool
    outcomes: _containers.RepeatedCompositeFieldContainer[ChannelOutcome]
    seq: int
    simulated: bool
    state: str
    status: AckStatus
    superseded_by: str
    def __init__(self, event_id: _Optional[str] = ..., status: _Optional[_Union[AckStatus, str]] = ..., error_message: _Optional[str] = ..., delivered_via: _Optional[_Union[ChannelType, str]] = ..., evidence: _Optional[_Union[Evidence, str]] = ..., final: bool = ..., duplicate: bool = ..., seq: _Optional[int] = ..., at: _Optional[int] = ..., outcomes: _Optional[_Iterable[_Union[ChannelOutcome, _Mapping]]] = ..., code: _Optional[str] = ..., counts: _Optional[_Mapping[str, int]] = ..., superseded_by: _Optional[str] = ..., state: _Optional[str] = ..., detail: _Optional[str] = ..., field: _Optional[str] = ..., simulated: bool = ...) -> None: ...

class EventAckBatch(_message.Message):
    __slots__ = ["acks"]
    ACKS_FIELD_NUMBER: _ClassVar[int]
    acks: _containers.RepeatedCompositeFieldContainer[EventAck]
    def __init__(self, acks: _Optional[_Iterable[_Union[EventAck, _Mapping]]] = ...) -> None: ...

class OrderEventPayload(_message.Message):
    __slots__ = ["error_message", "exchange", "fill_price", "fill_quantity", "order_id", "order_type", "price", "quantity", "side", "status", "strategy_id", "symbol", "timestamp"]
    ERROR_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    EXCHANGE_FIELD_NUMBER: _ClassVar[int]
    FILL_PRICE_FIELD_NUMBER: _ClassVar[int]
    FILL_QUANTITY_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_TYPE_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    error_message: str
    exchange: str
    fill_price: str
    fill_quantity: str
    order_id: str
    order_type: str
    price: str
    quantity: str
    side: str
    status: str
    strategy_id: str
    symbol: str
    timestamp: int
    def __init__(self, order_id: _Optional[str] = ..., symbol: _Optional[str] = ..., side: _Optional[str] = ..., order_type: _Optional[str] = ..., quantity: _Optional[str] = ..., price: _Optional[str] = ..., fill_price: _Optional[str] = ..., fill_quantity: _Optional[str] = ..., status: _Optional[str] = ..., exchange: _Optional[str] = ..., timestamp: _Optional[int] = ..., strategy_id: _Optional[str] = ..., error_message: _Optional[str] = ...) -> None: ...

class PositionEventPayload(_message.Message):
    __slots__ = ["current_price", "entry_price", "exchange", "leverage", "liquidation_price", "position_id", "realized_pnl", "side", "size", "symbol", "timestamp", "unrealized_pnl"]
    CURRENT_PRICE_FIELD_NUMBER: _ClassVar[int]
    ENTRY_PRICE_FIELD_NUMBER: _ClassVar[int]
    EXCHANGE_FIELD_NUMBER: _ClassVar[int]
    LEVERAGE_FIELD_NUMBER: _ClassVar[int]
    LIQUIDATION_PRICE_FIELD_NUMBER: _ClassVar[int]
    POSITION_ID_FIELD_NUMBER: _ClassVar[int]
    REALIZED_PNL_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    UNREALIZED_PNL_FIELD_NUMBER: _ClassVar[int]
    current_price: str
    entry_price: str
    exchange: str
    leverage: str
    liquidation_price: str
    position_id: str
    realized_pnl: str
    side: str
    size: str
    symbol: str
    timestamp: int
    unrealized_pnl: str
    def __init__(self, position_id: _Optional[str] = ..., symbol: _Optional[str] = ..., side: _Optional[str] = ..., size: _Optional[str] = ..., entry_price: _Optional[str] = ..., current_price: _Optional[str] = ..., unrealized_pnl: _Optional[str] = ..., realized_pnl: _Optional[str] = ..., leverage: _Optional[str] = ..., liquidation_price: _Optional[str] = ..., exchange: _Optional[str] = ..., timestamp: _Optional[int] = ...) -> None: ...

class Recipient(_message.Message):
    __slots__ = ["addresses", "locale", "name", "time_zone"]
    ADDRESSES_FIELD_NUMBER: _ClassVar[int]
    LOCALE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    TIME_ZONE_FIELD_NUMBER: _ClassVar[int]
    addresses: _containers.RepeatedCompositeFieldContainer[RecipientAddress]
    locale: str
    name: str
    time_zone: str
    def __init__(self, name: _Optional[str] = ..., locale: _Optional[str] = ..., time_zone: _Optional[str] = ..., addresses: _Optional[_Iterable[_Union[RecipientAddress, _Mapping]]] = ...) -> None: ...

class RecipientAddress(_message.Message):
    __slots__ = ["address", "channel", "verified"]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    VERIFIED_FIELD_NUMBER: _ClassVar[int]
    address: str
    channel: ChannelType
    verified: bool
    def __init__(self, channel: _Optional[_Union[ChannelType, str]] = ..., address: _Optional[str] = ..., verified: bool = ...) -> None: ...

class SignedEnvelope(_message.Message):
    __slots__ = ["body", "issued_at", "key_id", "nonce", "signature", "source"]
    BODY_FIELD_NUMBER: _ClassVar[int]
    ISSUED_AT_FIELD_NUMBER: _ClassVar[int]
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    body: bytes
    issued_at: int
    key_id: str
    nonce: bytes
    signature: bytes
    source: str
    def __init__(self, source: _Optional[str] = ..., key_id: _Optional[str] = ..., issued_at: _Optional[int] = ..., nonce: _Optional[bytes] = ..., body: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class StrategyEventPayload(_message.Message):
    __slots__ = ["details", "log_level", "message", "strategy_id", "strategy_name", "timestamp"]
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    LOG_LEVEL_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_NAME_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    details: str
    log_level: str
    message: str
    strategy_id: str
    strategy_name: str
    timestamp: int
    def __init__(self, strategy_id: _Optional[str] = ..., strategy_name: _Optional[str] = ..., log_level: _Optional[str] = ..., message: _Optional[str] = ..., details: _Optional[str] = ..., timestamp: _Optional[int] = ...) -> None: ...

class TradeEventPayload(_message.Message):
    __slots__ = ["order_id", "role", "side", "symbol", "trade_id", "traded_at"]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    TRADED_AT_FIELD_NUMBER: _ClassVar[int]
    TRADE_ID_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    role: str
    side: str
    symbol: str
    trade_id: str
    traded_at: int
    def __init__(self, trade_id: _Optional[str] = ..., order_id: _Optional[str] = ..., symbol: _Optional[str] = ..., side: _Optional[str] = ..., role: _Optional[str] = ..., traded_at: _Optional[int] = ...) -> None: ...

class UserEvent(_message.Message):
    __slots__ = ["ack_timeout_ms", "collapse_key", "content", "correlation_id", "delivery", "event_id", "event_type", "expires_at", "metadata", "ordering_key", "payload", "recipient", "schema_version", "source", "timestamp", "topic", "type_name", "user_id", "version"]
    class MetadataEntry(_message.Message):
        __slots__ = ["key", "value"]
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ACK_TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    COLLAPSE_KEY_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    CORRELATION_ID_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    ORDERING_KEY_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_VERSION_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    TYPE_NAME_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ack_timeout_ms: int
    collapse_key: str
    content: Content
    correlation_id: str
    delivery: DeliverySpec
    event_id: str
    event_type: EventType
    expires_at: int
    metadata: _containers.ScalarMap[str, str]
    ordering_key: str
    payload: bytes
    recipient: Recipient
    schema_version: int
    source: str
    timestamp: int
    topic: str
    type_name: str
    user_id: str
    version: int
    def __init__(self, user_id: _Optional[str] = ..., event_id: _Optional[str] = ..., timestamp: _Optional[int] = ..., event_type: _Optional[_Union[EventType, str]] = ..., payload: _Optional[bytes] = ..., delivery: _Optional[_Union[DeliverySpec, _Mapping]] = ..., type_name: _Optional[str] = ..., source: _Optional[str] = ..., schema_version: _Optional[int] = ..., expires_at: _Optional[int] = ..., collapse_key: _Optional[str] = ..., ordering_key: _Optional[str] = ..., version: _Optional[int] = ..., metadata: _Optional[_Mapping[str, str]] = ..., topic: _Optional[str] = ..., correlation_id: _Optional[str] = ..., ack_timeout_ms: _Optional[int] = ..., recipient: _Optional[_Union[Recipient, _Mapping]] = ..., content: _Optional[_Union[Content, _Mapping]] = ...) -> None: ...

class UserEventBatch(_message.Message):
    __slots__ = ["events"]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[UserEvent]
    def __init__(self, events: _Optional[_Iterable[_Union[UserEvent, _Mapping]]] = ...) -> None: ...

class WorkspaceEventPayload(_message.Message):
    __slots__ = ["annotation_data", "annotation_id", "annotation_type", "change_type", "indicator_name", "indicator_params", "symbol", "timeframe", "timestamp", "workspace_id"]
    ANNOTATION_DATA_FIELD_NUMBER: _ClassVar[int]
    ANNOTATION_ID_FIELD_NUMBER: _ClassVar[int]
    ANNOTATION_TYPE_FIELD_NUMBER: _ClassVar[int]
    CHANGE_TYPE_FIELD_NUMBER: _ClassVar[int]
    INDICATOR_NAME_FIELD_NUMBER: _ClassVar[int]
    INDICATOR_PARAMS_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    TIMEFRAME_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    WORKSPACE_ID_FIELD_NUMBER: _ClassVar[int]
    annotation_data: str
    annotation_id: str
    annotation_type: str
    change_type: str
    indicator_name: str
    indicator_params: str
    symbol: str
    timeframe: str
    timestamp: int
    workspace_id: str
    def __init__(self, workspace_id: _Optional[str] = ..., change_type: _Optional[str] = ..., symbol: _Optional[str] = ..., timeframe: _Optional[str] = ..., annotation_id: _Optional[str] = ..., annotation_type: _Optional[str] = ..., annotation_data: _Optional[str] = ..., indicator_name: _Optional[str] = ..., indicator_params: _Optional[str] = ..., timestamp: _Optional[int] = ...) -> None: ...

class ActionKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []

class EventType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []

class Priority(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []

class ChannelType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []

class AckStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []

class Evidence(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []
