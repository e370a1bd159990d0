"""The webhook of Grafana's alerting.

https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/
"""

from gateway.normalizers.alerts import Alert, Group, alert_of, alerts_in, omitted_in
from gateway.normalizers.base import Draft, JsonObject, Normalizer, Received
from gateway.normalizers.routes import Routing, check_routing
from gateway.normalizers.values import parse_object, text

_LINKS = (
    ("Dashboard", "dashboardURL"),
    ("Panel", "panelURL"),
    ("Alert rule", "generatorURL"),
    ("Silence", "silenceURL"),
)


def _read(received: Received) -> list[Draft]:
    routing: Routing = received.options
    body = parse_object(received.body)
    alerts = [_alert(one) for one in alerts_in(body)]
    key = text(body, "groupKey", required=False) or repr(sorted(_texts(body, "groupLabels").items()))
    key = f"{text(body, 'orgId', required=False)}:{key}"
    group = Group(key, alerts, omitted_in(body), _url(body), received.link_hosts)
    return group.drafts(routing, received.now_ms)


def _alert(given: JsonObject) -> Alert:
    links = [(label, text(given, name, required=False)) for label, name in _LINKS]
    return alert_of(given, links, _value(given))


def _value(given: JsonObject) -> str:
    """Return the measured values as Grafana names them: `B=44.23943737541908`."""
    values = given.get("values")
    if not isinstance(values, dict):
        return ""
    return ", ".join(
        f"{name}={value}"
        for name, value in values.items()
        if isinstance(value, str | int | float) and not isinstance(value, bool)
    )


def _texts(body: JsonObject, name: str) -> dict[str, str]:
    found = body.get(name)
    return found if isinstance(found, dict) else {}


def _url(body: JsonObject) -> str:
    home = text(body, "externalURL", required=False).rstrip("/")
    return f"{home}/alerting/list" if home else ""


GRAFANA = Normalizer("grafana", "Grafana alerting", _read, check_routing)
