"""Words with a fixed meaning in payloads, for which other languages have words of their own.

Their translations are in the catalogues. English has none: there a word is shown as the producer wrote it. A
word that is not here is the producer's own, and stays so in every language.
"""

import re
from collections.abc import Iterator

from notifications.rendering.locales import current, pgettext

_WORD_BREAK = re.compile(r"[_\s]+|(?<=[a-z0-9])(?=[A-Z])")
_SPELLED = {
    name.lower(): name
    for name in ("ID", "ML", "RL", "AI", "API", "URL", "IP", "PnL", "ROI", "NAV", "OTC", "USD", "KYC", "RSI")
}
_LONGEST = 60


def _words(text: str) -> frozenset[str]:
    return frozenset(" ".join(word.split()) for word in text.split("|"))


# Values of fields such as `side`, `order_type` or `status`, in any spelling: `STOP_LIMIT`, `stopLimit`.
VALUES = _words(
    """Buy|Sell|Long|Short|Hold|Market|Limit|Stop|Stop limit|Stop market|Stop loss|Take profit|Trailing stop
    |Post only|Maker|Taker|New|Open|Filled|Partially filled|Cancelled|Canceled|Rejected|Expired|Pending|Failed
    |Closed|Active|Triggered|Debug|Info|Warning|Error|Critical|Low|Medium|High|Healthy|Degraded|Down|Running
    |Starting|Stopped|Paused|Max drawdown|Drawdown|Exposure|Leverage|Margin|Margin call|Volatility
    |Concentration|Daily loss|Trendline|Horizontal line|Vertical line|Rectangle|Fibonacci|Arrow|Text
    |Annotation added|Annotation removed|Indicator added|Indicator removed|Indicator updated
    |Timeframe changed|Symbol changed|Layout changed"""
)
_FIELDS_OF_VALUES = _words(
    """side|position_side|direction|signal|order_type|type|status|order_status|role|liquidity|log_level|level
    |severity|change_type|annotation_type|risk_type|alert_type|metric"""
)

# Names of fields: those of docs/wire.md, and what venues call the same.
LABELS = _words(
    """Alert ID|Alert type|Annotation data|Annotation ID|Annotation type|Ask|Asset|Avail|Available|Avg price
    |Backtest ID|Balance|Bid|Cash|Change|Change percent|Change type|Client order ID|Color|Completed at
    |Component|Condition|Confidence|Created at|Currency|Current price|Current value|Daily PnL|Delta
    |Description|Details|Dry run|End time|Entry price|Equity|Error|Error message|Event type|Exchange
    |Executed at|Exit price|Expires at|Fee|Fee asset|Fill price|Fill quantity|Filled at|Filled qty|Free|From
    |Frozen|Indicator name|Indicator params|Last|Length|Leverage|Limit|Liquidation price|Locked|Log level
    |Losing trades|Lower|Margin|Mark price|Max drawdown|Message|Metric|Model|Note|Order ID|Order type
    |Position ID|Position side|Price|Qty|Quantity|Realized PnL|Reason|Reject reason|Results path|Retries
    |Risk type|Role|Service|Severity|Sharpe ratio|Side|Signal|Simulated|Size|Source|Start time|Status
    |Stop loss|Stop price|Strategy ID|Strategy name|Symbol|Take profit|Target price|Threshold|Time|Timeframe
    |Timestamp|Title|To|Topic|Total|Total PnL|Total trades|Total value|Trade ID|Traded at|Trigger price
    |Triggered price|Type|Unrealized PnL|Updated at|Upper|User ID|Value|Volume|Win rate|Winning trades
    |Workspace ID|Common|Firing|Name|Omitted|Resolved|Several"""
)

# Event types of docs/wire.md that have no wording of their own: their names are shown.
EVENT_TYPES = _words(
    """Order executed|Order updated|Market regime changed|ML model updated|RL model updated|RL action taken
    |Feature vector updated|Alternative data updated|Sentiment data updated|Onchain data updated
    |Economic data updated|Backtest requested|Multi symbol backtest requested
    |Strategy optimization requested|Custom"""
)


def entries() -> Iterator[tuple[str, str]]:
    """Return every word with its context in the catalogues."""
    for context, words in (("value", VALUES), ("label", LABELS), ("event type", EVENT_TYPES)):
        for word in sorted(words):
            yield context, word


def has_values(field: str) -> bool:
    """Return whether a field holds a word with a fixed meaning."""
    return field in _FIELDS_OF_VALUES


def value(text: str) -> str:
    """Return the word for a value such as `STOP_LIMIT`; "" if the language has none, as English."""
    return _translation("value", VALUES, text)


def label(field: str) -> str:
    """Return the name of a field such as `fill_price`; "" if the language has none, as English."""
    return _translation("label", LABELS, field)


def event_type(name: str) -> str:
    """Return the name of an event type such as `ORDER_UPDATED`; "" if the language has none, as English."""
    return _translation("event type", EVENT_TYPES, name)


def _translation(context: str, words: frozenset[str], text: str) -> str:
    if current().is_english or len(text) > _LONGEST:
        return ""
    word = sentence(text)
    return pgettext(context, word) if word in words else ""


def sentence(name: str) -> str:
    """Turn a name into a sentence: `ML_MODEL_UPDATED`, `mlModelUpdated` -> "ML model updated"."""
    text = spoken(name)
    return text[:1].upper() + text[1:]


def spoken(name: str) -> str:
    """Like `sentence`, inside of one."""
    parts = _WORD_BREAK.split(name.lower() if name.isupper() else name)
    return " ".join(_SPELLED.get(part.lower(), part.lower()) for part in parts if part)
