"""Whom alerts are for: by their own labels, else by the routes that the hook's options declare."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.codec.limits import InvalidEvent, check_integer
from gateway.normalizers.base import JsonObject, To, Whom
from notifications.states import Priority

# Labels of an alert that name its recipient; they win over every route.
LABELS = {"tocsin_user": Whom.USER, "tocsin_group": Whom.GROUP, "tocsin_topic": Whom.TOPIC}
_SEVERITY = "severity"
_CRITICAL = ("critical", "page", "emergency", "disaster")
_ROUTES = 200
_DAY_S = 86_400

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Route:
    """Alerts with all of these labels go to these. A value that ends with `*` is a beginning."""

    match: Mapping[str, tuple[str, ...]]
    to: tuple[To, ...]
    priority: Priority | None = None

    def matches(self, labels: Labels) -> bool:
        return all(
            any(_fits(labels.get(name, ""), one) for one in values) for name, values in self.match.items()
        )


def _fits(value: str, wanted: str) -> bool:
    return value.startswith(wanted[:-1]) if wanted.endswith("*") else value == wanted


@dataclass(frozen=True, slots=True)
class Routing:
    """A hook's options. `remind_after_s`: a group that still fires is told again after this; 0: never."""

    routes: tuple[Route, ...]
    critical: frozenset[str]
    remind_after_s: int = 0

    def recipients(self, labels: Labels) -> tuple[To, ...]:
        own = tuple(To(whom, labels[name]) for name, whom in LABELS.items() if labels.get(name))
        route = self._route(labels)
        found = own or (route.to if route else ())
        if not found:
            detail = "No route of the hook's options matches, and no label tocsin_user, _group or _topic."
            raise InvalidEvent("no_route", detail, "routes")
        return found

    def priority(self, labels: Labels) -> Priority:
        route = self._route(labels)
        if route is not None and route.priority is not None:
            return route.priority
        urgent = labels.get(_SEVERITY, "").lower() in self.critical
        return Priority.CRITICAL if urgent else Priority.NORMAL

    def _route(self, labels: Labels) -> Route | None:
        return next((route for route in self.routes if route.matches(labels)), None)


def check_routing(options: JsonObject) -> Routing:
    """Return the options of a hook for alerts. Raises: `InvalidEvent` with the field that is wrong."""
    _only(options, {"routes", "to", "critical", "remind_after_s"}, "options")
    given = options.get("routes", [])
    if not isinstance(given, list) or len(given) > _ROUTES:
        raise InvalidEvent("invalid_options", f"Send a list of at most {_ROUTES} routes.", "routes")
    routes = [_route(one, f"routes[{index}]") for index, one in enumerate(given)]
    if "to" in options:
        routes.append(Route({}, _recipients(options["to"], "to")))
    critical = _texts(options.get("critical", list(_CRITICAL)), "critical")
    remind = check_integer(options.get("remind_after_s", 0), "remind_after_s", highest=30 * _DAY_S)
    if 0 < remind < 60:
        raise InvalidEvent("invalid_options", "Send 60 or more seconds, or 0 for never.", "remind_after_s")
    return Routing(tuple(routes), frozenset(one.lower() for one in critical), remind)


def _only(given: Any, names: set[str], field: str) -> None:
    if not isinstance(given, dict) or given.keys() - names:
        detail = f"Send an object with only {', '.join(sorted(names))}."
        raise InvalidEvent("invalid_options", detail, field)


def _route(given: Any, field: str) -> Route:
    _only(given, {"match", "to", "priority"}, field)
    match = given.get("match", {})
    if not isinstance(match, dict):
        raise InvalidEvent("invalid_options", "Send an object: labels and their values.", f"{field}.match")
    values = {name: _texts(value, f"{field}.match.{name}") for name, value in match.items()}
    priority = given.get("priority")
    if priority is not None and (not isinstance(priority, str) or priority not in Priority.__members__):
        raise InvalidEvent("invalid_options", "Send NORMAL or CRITICAL.", f"{field}.priority")
    wanted = Priority[priority] if priority is not None else None
    return Route(values, _recipients(given.get("to"), f"{field}.to"), wanted)


def _texts(given: Any, field: str) -> tuple[str, ...]:
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts or not all(isinstance(one, str) for one in texts):
        raise InvalidEvent("invalid_options", "Send a text, or a list of texts.", field)
    return tuple(texts)


def _recipients(given: Any, field: str) -> tuple[To, ...]:
    listed = given if isinstance(given, list) else [given]
    whom = {one.value: one for one in (Whom.USER, Whom.GROUP, Whom.TOPIC)}
    found = []
    for one in listed:
        if not isinstance(one, dict) or len(one) != 1 or one.keys() - whom.keys():
            detail = f"Name a recipient by one of {', '.join(whom)}, or a list of such."
            raise InvalidEvent("invalid_options", detail, field)
        [(kind, name)] = one.items()
        if not isinstance(name, str) or not name:
            raise InvalidEvent("invalid_options", "Send the name as text.", f"{field}.{kind}")
        found.append(To(whom[kind], name))
    if not found:
        raise InvalidEvent("invalid_options", "Name at least one recipient.", field)
    return tuple(found)
