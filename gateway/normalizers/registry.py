"""The formats that a hook can have, by name."""

from gateway.codec.limits import InvalidEvent
from gateway.normalizers.alertmanager import ALERTMANAGER
from gateway.normalizers.base import Normalizer
from gateway.normalizers.binance import BINANCE
from gateway.normalizers.bybit import BYBIT
from gateway.normalizers.cloudevents import CLOUDEVENTS
from gateway.normalizers.event_system import EVENT_SYSTEM
from gateway.normalizers.grafana import GRAFANA
from gateway.normalizers.json_mapping import JSON
from gateway.normalizers.settlement import SETTLEMENT
from gateway.normalizers.trading_bus import TRADING_BUS

_ALL = (ALERTMANAGER, GRAFANA, CLOUDEVENTS, JSON, SETTLEMENT, EVENT_SYSTEM, TRADING_BUS, BINANCE, BYBIT)
NORMALIZERS: dict[str, Normalizer] = {one.name: one for one in _ALL}


def normalizer(name: str) -> Normalizer:
    """Return the format with this name. Raises: `InvalidEvent`."""
    if name not in NORMALIZERS:
        raise InvalidEvent("unknown_normalizer", f"Name one of {', '.join(NORMALIZERS)}.", "normalizer")
    return NORMALIZERS[name]
