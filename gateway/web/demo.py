"""The calls of the demo page. Available only with `TOCSIN_DEMO`, to signed-in persons."""

import json
import uuid
from collections.abc import Callable
from functools import wraps
from typing import Any

import httpx
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from gateway.auth.bearer import grant_of, person_of_session
from gateway.codec import events as codec
from gateway.codec.acks import ack_to_json
from gateway.codec.limits import InvalidEvent
from gateway.codec.problems import from_malformed, problem
from gateway.web.samples import SAMPLES
from notifications.ingest import ingest
from notifications.live.frames import to_ms
from notifications.live.inbox import item
from notifications.models import Event
from notifications.operations.timeline import timeline
from notifications.states import Channel
from runtime.postgres import clock
from users.models import Source, User

DEMO_SOURCE = "demo"
_EVENTS_SHOWN = 20
_ENTRIES_SHOWN = 30
_CHAT_OF_THE_DEMO = "100200300"
_ACTS = {name: name for name in ("write", "press", "block", "unblock")}

View = Callable[..., HttpResponse]

TELEGRAM_MODES: dict[str, dict[str, Any]] = {
    "works": {},
    "chat_not_found": {"error": "chat_not_found"},
    "rate_limited": {"retry_after_s": 3, "times": 2},
    "down": {"status": 502},
    "hangs": {"hang": True},
}


def _demo(view: View) -> View:
    @wraps(view)
    def guarded(request: HttpRequest) -> HttpResponse:
        if not settings.TOCSIN_DEMO:
            return problem("not_found", "The demo is off.")
        person = person_of_session(request)
        if person is None:
            return problem("not_signed_in", "Sign in first.", status=401)
        return view(request, person)

    return guarded


@require_POST
@_demo
def send(request: HttpRequest, person: User) -> HttpResponse:
    """Publish a sample event to the caller as the demo source, through `ingest` like every event."""
    try:
        wanted = json.loads(request.body)
        body = {
            "event_id": f"sample-{uuid.uuid4()}",
            "user_id": person.external_id,
            "timestamp": int(clock.now().timestamp() * 1000),
            "event_type": wanted["event_type"],
            "payload": SAMPLES[wanted["event_type"]],
            "delivery": {"priority": wanted["priority"]},
        }
        source = Source.objects.get(name=DEMO_SOURCE)
        envelope = codec.from_json(body, grant_of(source))
    except InvalidEvent as error:
        return from_malformed(error)
    except (ValueError, KeyError, TypeError, Source.DoesNotExist):
        return problem("malformed", "Send event_type and priority; the demo source must exist.")
    ack = ingest([envelope], now=clock.now())[0]
    return JsonResponse(ack_to_json(ack))


@require_GET
@_demo
def events(request: HttpRequest, person: User) -> HttpResponse:
    """Return the person's latest events, each with its timeline."""
    found = (
        Event.objects.filter(person=person)
        .select_related("source")
        .prefetch_related("deliveries__tries", "deliveries__template_version__template")
        .order_by("-seq")[:_EVENTS_SHOWN]
    )
    return JsonResponse({"events": [_event_with_timeline(event, person) for event in found]})


def _event_with_timeline(event: Event, person: User) -> dict[str, Any]:
    shown = item(event, person.time_zone, person.locale)
    return {
        "event_id": event.event_id,
        "source": event.source.name,
        "event_type": event.event_type,
        "title": shown["title"],
        "priority": shown["priority"],
        "state": event.state,
        "delivered_via": None if event.delivered_via is None else Channel(event.delivered_via).name,
        "evidence": event.evidence.upper(),
        "code": event.code,
        "accepted_at": to_ms(event.accepted_at),
        "final_at": to_ms(event.final_at) if event.final_at else None,
        "seq": event.seq,
        "steps": timeline(event, event.deliveries.all()),
    }


@require_GET
@_demo
def provider_log(request: HttpRequest, person: User) -> HttpResponse:
    """Return the latest log entries of the provider simulator, newest first."""
    try:
        entries = _sandbox("GET", f"/control/log?newest={_ENTRIES_SHOWN}")["entries"]
    except httpx.HTTPError:
        return problem("unavailable", "The provider simulator does not answer; is it running?")
    return JsonResponse({"entries": entries[::-1]})


@require_http_methods(["GET", "PUT"])
@_demo
def telegram_mode(request: HttpRequest, person: User) -> HttpResponse:
    """Read or set the behaviour of the simulated Telegram. "works" also enables the person's chat again."""
    try:
        if request.method == "GET":
            rules = _sandbox("GET", "/control/faults").get("telegram", [])
            mode = next((name for name, rule in TELEGRAM_MODES.items() if _matches(rules, rule)), "works")
            return JsonResponse({"mode": mode})
        mode = json.loads(request.body)["mode"]
        _sandbox("DELETE", "/control/faults/telegram")
        if TELEGRAM_MODES[mode]:
            _sandbox("PUT", "/control/faults/telegram", TELEGRAM_MODES[mode])
        else:
            person.destinations.filter(kind=Channel.TELEGRAM).enable()
    except httpx.HTTPError:
        return problem("unavailable", "The provider simulator does not answer; is it running?")
    except (ValueError, KeyError, TypeError):
        return problem("malformed", f"mode is one of {', '.join(TELEGRAM_MODES)}.", field="mode")
    return JsonResponse({"mode": mode})


@require_http_methods(["GET", "POST"])
@_demo
def chat(request: HttpRequest, person: User) -> HttpResponse:
    """Show the person's chat in the simulated Telegram; by POST, act there as the person."""
    mine = person.destinations.filter(kind=Channel.TELEGRAM, verified_at__isnull=False).first()
    place = f"/control/telegram/chats/{mine.address if mine else _CHAT_OF_THE_DEMO}"
    try:
        if request.method == "POST":
            wanted = json.loads(request.body)
            _sandbox("POST", f"{place}/{_ACTS[wanted.pop('act')]}", wanted)
        return JsonResponse(_sandbox("GET", place))
    except httpx.HTTPError:
        return problem("unavailable", "The provider simulator does not answer, or knows no such button.")
    except (ValueError, KeyError, TypeError, AttributeError):
        return problem("malformed", f"act is one of {', '.join(_ACTS)}.", field="act")


def _matches(rules: list[dict[str, Any]], wanted: dict[str, Any]) -> bool:
    return bool(wanted) and any(
        all(rule.get(key) == value for key, value in wanted.items() if key != "times") for rule in rules
    )


def _sandbox(method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    answer = httpx.request(method, f"{settings.SANDBOX_URL}{path}", json=body, timeout=3, trust_env=False)
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found
