"""The formats that a hook can have, by name."""

from gateway.codec.limits import InvalidEvent
from gateway.normalizers.alertmanager import ALERTMANAGER
from gateway.normalizers.base import Normalizer
from gateway.normalizers.cloudevents import CLOUDEVENTS
from gateway.normalizers.grafana import GRAFANA
from gateway.normalizers.json_mapping import JSON

NORMALIZERS: dict[str, Normalizer] = {one.name: one for one in (ALERTMANAGER, GRAFANA, CLOUDEVENTS, JSON)}


def normalizer(name: str) -> Normalizer:
    """Return the format with this name. Raises: `InvalidEvent`."""
    if name not in NORMALIZERS:
        raise InvalidEvent("unknown_normalizer", f"Name one of {', '.join(NORMALIZERS)}.", "normalizer")
    return NORMALIZERS[name]
