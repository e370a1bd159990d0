"""Groups of alerts, as Prometheus' Alertmanager posts them, and Grafana with more of its own.

One event for each recipient of a group, with what is true of the group now. Its id is the group's state: the
same state again is a duplicate. A later state supersedes those before it that have not been delivered.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from gateway.normalizers.base import Draft, JsonObject, To, event_id, not_understood
from gateway.normalizers.routes import LABELS, Routing
from gateway.normalizers.values import moment_ms, objects, text, without_empty
from notifications.rendering.links import UnsafeLink, safe_url
from notifications.states import Priority

FIRING, RESOLVED, RUNBOOK = "firing", "resolved", "Runbook"
_SHOWN = 8  # alerts of one message
_NAMES = 3
_LABELS_SHOWN = 8
_CHARS = {"labels": 300, "summary": 500, "description": 1_500, "name": 200}
_URL_BYTES = 2_048
_ACTIONS = 5
_SUMMARIES = ("summary", "message", "title")
_NOT_SHOWN = frozenset(("alertname", "severity", *LABELS))


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert of a group. `links` are what somebody on call opens, by their labels; `value` as measured."""

    fingerprint: str
    status: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    started_ms: int
    ended_ms: int
    links: tuple[tuple[str, str], ...] = ()
    value: str = ""

    @property
    def is_firing(self) -> bool:
        return self.status == FIRING

    @property
    def changed_ms(self) -> int:
        return self.started_ms if self.is_firing else self.ended_ms

    @property
    def state(self) -> str:
        return f"{self.fingerprint}:{self.status}:{self.changed_ms}"


def alert_of(given: JsonObject, links: Iterable[tuple[str, str]] = (), value: str = "") -> Alert:
    """Return an alert as both systems write it. Raises: `InvalidEvent`."""
    status = text(given, "status")
    if status not in {FIRING, RESOLVED}:
        raise not_understood(f"An alert's status is {FIRING} or {RESOLVED}.", "alerts.status")
    labels = _texts(given, "labels")
    annotations = _texts(given, "annotations")
    started_ms = moment_ms(given.get("startsAt"), "alerts.startsAt")
    ended_ms = moment_ms(given.get("endsAt"), "alerts.endsAt") if status == RESOLVED else 0
    fingerprint = text(given, "fingerprint", required=False) or _digest(sorted(labels.items()))
    runbook = annotations.get("runbook_url") or annotations.get("runbook", "")
    found = ((RUNBOOK, runbook), *links)
    return Alert(fingerprint, status, labels, annotations, started_ms, ended_ms, tuple(found), value)


def _texts(given: JsonObject, name: str) -> dict[str, str]:
    found = given.get(name) or {}
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise not_understood(f"An alert's {name} are texts.", f"alerts.{name}")
    return found


def _digest(parts: object) -> str:
    return sha256(repr(parts).encode(errors="surrogatepass")).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Group:
    """A group of alerts. `omitted`: how many more it has that were not posted; `url` opens the group.

    `link_hosts`: a link to elsewhere would be shown as text, which is worth its space for a runbook alone.
    """

    key: str
    alerts: Sequence[Alert]
    omitted: int = 0
    url: str = ""
    link_hosts: tuple[str, ...] = ()

    def drafts(self, routing: Routing, now_ms: int) -> list[Draft]:
        """Return one event for each recipient of its alerts."""
        found: dict[To, list[Alert]] = {}
        for alert in self.alerts:
            for to in routing.recipients(alert.labels):
                found.setdefault(to, []).append(alert)
        return [self._draft(to, alerts, routing, now_ms) for to, alerts in found.items()]

    def _draft(self, to: To, alerts: Sequence[Alert], routing: Routing, now_ms: int) -> Draft:
        key = event_id("alerts", _digest(self.key), to.whom, to.name)
        firing = [alert for alert in alerts if alert.is_firing]
        changed_ms = max(alert.changed_ms for alert in alerts)
        reminders = _reminders(routing.remind_after_s, changed_ms, now_ms) if firing else 0
        version = changed_ms + reminders * routing.remind_after_s * 1000
        state = _digest((sorted(alert.state for alert in alerts), reminders))
        event = {
            "type_name": f"monitoring.{FIRING if firing else RESOLVED}",
            "timestamp": changed_ms,
            "delivery": {"priority": _priority(alerts, routing).name},
            "payload": _payload(alerts, self.omitted),
            "content": self._links(alerts),
            "collapse_key": key,
            "version": version,
            "correlation_id": f"alerts:{_digest(self.key)}",
        }
        return Draft(to, event_id(key, state), event, same=state)

    def _links(self, alerts: Sequence[Alert]) -> JsonObject:
        """Return what a message opens: the first link of each kind."""
        found: dict[str, str] = {}
        for label, url in (link for alert in alerts for link in alert.links):
            if _is_url(url) and (label == RUNBOOK or self._may_link(url)):
                found.setdefault(label, url)
        actions = [{"label": label, "url": url} for label, url in found.items()]
        return without_empty(url=self.url if self._may_link(self.url) else "", actions=actions[:_ACTIONS])

    def _may_link(self, url: str) -> bool:
        try:
            return bool(_is_url(url) and safe_url(url, self.link_hosts))
        except UnsafeLink:
            return False


def _reminders(after_s: int, changed_ms: int, now_ms: int) -> int:
    return max(0, now_ms - changed_ms) // (after_s * 1000) if after_s else 0


def _priority(alerts: Sequence[Alert], routing: Routing) -> Priority:
    """Return the highest, resolved ones included: a NORMAL event does not supersede a CRITICAL one."""
    return max(routing.priority(alert.labels) for alert in alerts)


def _is_url(url: str) -> bool:
    return url.startswith(("https://", "http://")) and len(url.encode(errors="replace")) <= _URL_BYTES


# --- what is said ---------------------------------------------------------------------------------------
def _payload(alerts: Sequence[Alert], omitted: int) -> JsonObject:
    ordered = sorted(alerts, key=lambda alert: (not alert.is_firing, -alert.changed_ms))
    shown = ordered[:_SHOWN]
    common = _common(alerts)
    firing = sum(alert.is_firing for alert in alerts)
    severities = {alert.labels.get("severity", "") for alert in alerts if alert.is_firing}
    return without_empty(
        name=_name(ordered),
        severity=severities.pop() if len(severities) == 1 else "",
        firing_count=firing or None,
        resolved_count=len(alerts) - firing or None,
        several=count if (count := firing or len(alerts)) > 1 else None,
        common=_labels(common) if len(alerts) > 1 else "",
        firing=[_shown(alert, common, len(alerts)) for alert in shown if alert.is_firing],
        resolved=[_shown(alert, common, len(alerts)) for alert in shown if not alert.is_firing],
        omitted=len(alerts) - len(shown) + omitted or None,
    )


def _name(alerts: Sequence[Alert]) -> str:
    names = list(dict.fromkeys(alert.labels.get("alertname", "") for alert in alerts))
    named = [name for name in names if name]
    more = ", …" if len(named) > _NAMES else ""
    return _shortened(", ".join(named[:_NAMES]), "name") + more


def _common(alerts: Sequence[Alert]) -> dict[str, str]:
    """Return the labels that all have."""
    first, *rest = alerts
    return {
        name: value
        for name, value in first.labels.items()
        if all(other.labels.get(name) == value for other in rest)
    }


def _shown(alert: Alert, common: Mapping[str, str], count: int) -> JsonObject:
    apart = {name: value for name, value in alert.labels.items() if count == 1 or name not in common}
    labels = _labels(apart)
    summary = next((alert.annotations[name] for name in _SUMMARIES if alert.annotations.get(name)), "")
    description = alert.annotations.get("description", "")
    if not summary:
        summary, description = description, ""
    return without_empty(
        summary=_shortened(summary or labels or alert.labels.get("alertname", ""), "summary"),
        labels=labels if summary else "",
        description=_shortened(description, "description") if description != summary else "",
        value=_shortened(alert.value, "labels"),
        started_at=alert.started_ms,
        ended_at=alert.ended_ms or None,
    )


def _labels(labels: Mapping[str, str]) -> str:
    shown = [f"{name}={value}" for name, value in sorted(labels.items()) if _is_shown(name)]
    more = ", …" if len(shown) > _LABELS_SHOWN else ""
    return _shortened(", ".join(shown[:_LABELS_SHOWN]), "labels") + more


def _is_shown(name: str) -> bool:
    return name not in _NOT_SHOWN and not name.startswith("__")


def _shortened(said: str, kind: str) -> str:
    longest = _CHARS[kind]
    return said if len(said) <= longest else f"{said[: longest - 1]}…"


def alerts_in(body: JsonObject) -> list[JsonObject]:
    """Return the alerts that were posted. Raises: `InvalidEvent`."""
    found = objects(body, "alerts")
    if not found:
        raise not_understood("There are no alerts in it.", "alerts")
    return found


def omitted_in(body: JsonObject) -> int:
    count: Any = body.get("truncatedAlerts") or 0
    return count if isinstance(count, int) and not isinstance(count, bool) and count > 0 else 0
