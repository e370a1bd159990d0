"""Messages of a trading bus (`norm.*`, `cmd.*`, `exec.*`): type, venue, times, version and payload."""

from typing import Any

from gateway.normalizers.base import Draft, JsonObject, Normalizer, Received, not_understood
from gateway.normalizers.declared import Declared, check_declared
from gateway.normalizers.values import parse_object, text

_DEFAULTS: JsonObject = {
    "to": {"user_id": "{payload.user_id?}", "account": "{payload.account_id?}", "topic": "{event_type}"},
    "event_id": "{event_id}",
    "event_type": "{event_type}",
    "timestamp": "{at}",
    "payload": "{payload}",
    "metadata": "{labels}",
    "schema_version": "{version?}",
    "correlation_id": "{payload.command_id?}",
}
_LABELS = ("venue", "observed_at", "ingested_at", "schema_version")


def _read(received: Received) -> list[Draft]:
    mapping: Declared = received.options
    body = parse_object(received.body)
    if not isinstance(body.get("payload"), dict):
        raise not_understood("payload is not an object.", "payload")
    text(body, "event_id")
    at = body.get("observed_at") or body.get("ingested_at")
    if not at:
        raise not_understood("observed_at or ingested_at is missing.", "observed_at")
    labels = {name: str(body[name]) for name in _LABELS if isinstance(body.get(name), str | int)}
    own = {"at": at, "labels": labels, "version": _version(body.get("schema_version"))}
    return [mapping.draft({**body, **own}, received.now_ms)]


def _version(given: Any) -> int | None:
    """Return a version that is a whole number; another one is a label alone."""
    if isinstance(given, str) and given.isdecimal() and len(given) < 9:
        return int(given)
    return given if isinstance(given, int) and not isinstance(given, bool) else None


def _check_options(options: JsonObject) -> Declared:
    return check_declared(options, _DEFAULTS)


TRADING_BUS = Normalizer("trading-bus", "Messages of a trading bus", _read, _check_options)
