"""The webhook of Prometheus' Alertmanager, version 4.

https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
"""

from urllib.parse import quote

from gateway.normalizers.alerts import Alert, Group, alert_of, alerts_in, omitted_in
from gateway.normalizers.base import Draft, JsonObject, Normalizer, Received, not_understood
from gateway.normalizers.routes import Routing, check_routing
from gateway.normalizers.values import parse_object, text


def _read(received: Received) -> list[Draft]:
    routing: Routing = received.options
    body = parse_object(received.body)
    if body.get("version") != "4":
        raise not_understood("This is not version 4 of Alertmanager's webhook.", "version")
    home = text(body, "externalURL", required=False).rstrip("/")
    alerts = [_alert(one, home) for one in alerts_in(body)]
    url = f"{home}/#/alerts" if home else ""
    group = Group(text(body, "groupKey"), alerts, omitted_in(body), url, received.link_hosts)
    return group.drafts(routing, received.now_ms)


def _alert(given: JsonObject, home: str) -> Alert:
    dashboard = given.get("annotations") or {}
    links = [("Graph", text(given, "generatorURL", required=False))]
    if isinstance(dashboard, dict) and isinstance(dashboard.get("dashboard"), str):
        links.insert(0, ("Dashboard", dashboard["dashboard"]))
    labels = given.get("labels")
    if home and isinstance(labels, dict):
        links.append(("Silence", f"{home}/#/silences/new?filter={_filter(labels)}"))
    return alert_of(given, links)


def _filter(labels: JsonObject) -> str:
    matchers = ", ".join(f'{name}="{_escaped(str(value))}"' for name, value in sorted(labels.items()))
    return quote(f"{{{matchers}}}", safe="", errors="replace")


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


ALERTMANAGER = Normalizer("alertmanager", "Prometheus Alertmanager", _read, check_routing)
