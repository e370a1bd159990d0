"""Any JSON, by a mapping that the hook's options declare (docs/normalizers.md)."""

from typing import Any

from gateway.normalizers.base import Draft, JsonObject, Normalizer, Received
from gateway.normalizers.declared import Declared, check_declared
from gateway.normalizers.values import parse


def _read(received: Received) -> list[Draft]:
    mapping: Declared = received.options
    document: Any = parse(received.body)
    return mapping.drafts(document, received.now_ms)


def _check_options(options: JsonObject) -> Declared:
    return check_declared(options, {})


JSON = Normalizer("json", "JSON, by a declared mapping", _read, _check_options)
