"""Publishing before Django's request cycle: what goes on to Django, and what is refused as Django would."""

import asyncio
import threading

import httpx
import pytest

from gateway.codec import limits
from gateway.ingress import http
from notifications.models import Event
from tests.gateway.good_events import event_json
from tests.gateway.other_ends import Producer
from tests.gateway.servers import Server
from tests.kit.eventually import eventually


class Conversation:
    """An ASGI server's side of one request, with the body in so many pieces."""

    def __init__(
        self, path: str = limits.PUBLISH, method: str = "POST", root_path: str = "", **headers: str
    ) -> None:
        self.scope = {
            "type": "http",
            "method": method,
            "path": root_path + path,
            "root_path": root_path,
            "scheme": "http",
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "server": ("testserver", 80),
        }
        self.incoming: asyncio.Queue[dict] = asyncio.Queue()
        self.sent: list[dict] = []

    async def send(self, message: dict) -> None:
        self.sent.append(message)

    async def run(self, *body: bytes) -> int:
        """Return the answer's status; 0 if it went on to Django, -1 if there was none."""
        for number, part in enumerate(body, 1):
            await self.incoming.put({"type": "http.request", "body": part, "more_body": number < len(body)})
        passed = []

        async def django(*_: object) -> None:
            passed.append(True)

        await http.ingress(django)(self.scope, self.incoming.get, self.send)
        return 0 if passed else self.sent[0]["status"] if self.sent else -1


@pytest.mark.parametrize(
    ("path", "method"),
    [("/api/v1/events", "GET"), ("/api/v1/events/replay", "POST"), ("/healthz", "POST"), ("/", "GET")],
)
async def test_what_is_no_publishing_goes_on_to_django(path: str, method: str) -> None:
    assert await Conversation(path, method).run(b"") == 0


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
async def test_other_methods_are_refused_with_those_that_are_known(method: str) -> None:
    conversation = Conversation(method=method)
    assert await conversation.run(b"") == 405
    assert dict(conversation.sent[0]["headers"])[b"allow"] == b"GET, POST"


async def test_below_a_root_path_it_is_found_too() -> None:
    assert await Conversation(limits.PUBLISH_BATCH, root_path="/tocsin").run(b"") == 401


async def test_a_host_that_is_not_ours_is_refused(settings) -> None:
    settings.ALLOWED_HOSTS = ["tocsin.example"]
    assert await Conversation(host="evil.example").run(b"") == 400
    assert await Conversation(host="tocsin.example").run(b"") == 401


async def test_where_https_is_required_plain_http_is_refused(settings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    assert await Conversation().run(b"") == 403
    assert await Conversation(**{"x-forwarded-proto": "https"}).run(b"") == 401


async def test_who_leaves_in_the_middle_of_a_body_gets_no_answer() -> None:
    conversation = Conversation()
    await conversation.incoming.put({"type": "http.request", "body": b"{", "more_body": True})
    await conversation.incoming.put({"type": "http.disconnect"})
    assert await conversation.run() == -1


def test_a_query_without_end_is_refused_like_any_other(producer: Producer) -> None:
    answer = producer.post("/events?" + "a=1&" * 2_000, json=event_json())
    assert (answer.status_code, answer.json()["field"]) == (422, "wait")


def test_answers_may_not_be_taken_for_anything_else(producer: Producer) -> None:
    answer = producer.publish()
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert int(answer.headers["Content-Length"]) == len(answer.content)


def test_many_producers_at_once_have_each_their_own_answer(daphne: Server, producer: Producer, ann) -> None:
    key = producer.headers["Authorization"]
    events = [event_json() for _ in range(40)]
    answers: dict[str, httpx.Response] = {}

    def publish(event: dict, authorization: str) -> None:
        with httpx.Client(base_url=daphne.url, trust_env=False, timeout=30) as client:
            headers = {"Authorization": authorization}
            answers[event["event_id"]] = client.post("/api/v1/events", json=event, headers=headers)

    bad = [event_json(timestamp=0), event_json(user_id="nobody"), event_json()]
    calls = [(event, key) for event in (*events, *bad[:2])] + [(bad[2], "Bearer wrong")]
    threads = [threading.Thread(target=publish, args=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    accepted = [answers[event["event_id"]].json() for event in events]
    assert [ack["event_id"] for ack in accepted] == [event["event_id"] for event in events]
    assert sorted(ack["seq"] for ack in accepted) == list(range(1, 41))
    assert [answers[event["event_id"]].status_code for event in bad] == [422, 422, 401]


def test_who_stops_waiting_leaves_nothing_behind(daphne: Server, producer: Producer, ann) -> None:
    from django.utils import timezone

    from users.models import Destination

    Destination.objects.create(user=ann, kind=3, address="ann@example.test", verified_at=timezone.now())
    event = event_json()
    with pytest.raises(httpx.ReadTimeout):
        producer.post("/events", json=event, params={"wait": 30}, timeout=0.5)
    eventually(Event.objects.filter(event_id=event["event_id"]).exists)
    assert producer.post("/events", json=event).json()["duplicate"]
