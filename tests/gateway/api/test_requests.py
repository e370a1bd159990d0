"""Requests that the API must answer by its own rules: any id, any JSON, any path, any method."""

import time
from urllib.parse import quote

import httpx
import pytest
from django.utils import timezone

from tests.gateway.good_events import event_json
from tests.gateway.other_ends import Producer
from tests.gateway.servers import Server
from tests.kit.sign_in import cookie_of, token_for
from users import keys
from users.models import Destination, User

pytestmark = pytest.mark.django_db(transaction=True)

IDS = ["replay", "batch", "a/b", "/a", "a/", "a//b", "100%", "%41", "a?b=c#d", "a b+c", "é\u2028ü",
       "line\nend", "replay/", "a;b", "~", "{event_id}"]  # fmt: skip
NO_PATH = ["stats", ".", "..", "a/../b"]


@pytest.mark.parametrize("event_id", IDS)
def test_every_id_can_be_asked_for(producer: Producer, event_id: str) -> None:
    assert producer.publish(event_id=event_id).status_code in {200, 202}
    answer = producer.get(f"/events/{quote(event_id, safe='')}")
    assert (answer.status_code, answer.json().get("event_id")) == (200, event_id)


@pytest.mark.parametrize("event_id", [*IDS, *NO_PATH])
def test_every_id_can_be_asked_for_as_a_parameter(producer: Producer, event_id: str) -> None:
    producer.publish(event_id=event_id)
    answer = producer.get("/event", params={"event_id": event_id})
    assert (answer.status_code, answer.json().get("event_id")) == (200, event_id)


def problem(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["Content-Type"] == "application/problem+json", answer.text[:200]
    return answer.status_code, answer.json()["code"]


@pytest.mark.parametrize("path", ["/api/v1/nowhere", "/api/v1", "/api/v2/events", "/api/", "/api/v1/a.html"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH"])
def test_an_unknown_path_is_a_problem_document(daphne: Server, path: str, method: str) -> None:
    assert problem(httpx.request(method, daphne.url + path, trust_env=False)) == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", "/events"), ("DELETE", "/events/x"), ("PATCH", "/tickets"), ("POST", "/events/stats"),
     ("DELETE", "/users/ann/revoke"), ("PUT", "/events/batch")],
)  # fmt: skip
def test_another_method_is_a_problem_document(daphne: Server, method: str, path: str) -> None:
    answer = httpx.request(method, f"{daphne.url}/api/v1{path}", trust_env=False)
    assert problem(answer) == (405, "method_not_allowed")
    assert answer.headers["Allow"]


JUNK = [[], {}, [[]], {"a": {}}, 1, 1.5, -1, 10**30, True, None, "", "x", "\0", [None], [{}]]


@pytest.mark.parametrize("by", ["key", "token", "session"])
def test_a_ticket_for_any_json_is_answered(daphne: Server, venue, ann, by: str) -> None:
    headers = {
        "key": {"Authorization": f"Bearer {keys.issue(venue, ['tickets'])}"},
        "token": {"Authorization": f"Bearer {token_for('ann')}"},
        "session": {"Cookie": f"{cookie_of(ann)}; csrftoken={'a' * 32}", "X-CSRFToken": "a" * 32},
    }[by]
    with httpx.Client(base_url=f"{daphne.url}/api/v1", headers=headers, trust_env=False) as client:
        for junk in JUNK:
            for body in (junk, {"user_id": junk}):
                status = client.post("/tickets", json=body).status_code
                assert status in {201, 404, 422}, (body, status)
        assert problem(client.post("/tickets", json={"user_id": ["ann"]})) == (422, "not_a_string")


FILTERS = ("user", "type", "priority", "state", "from", "to")


def test_a_replay_or_a_list_of_any_json_is_answered(daphne: Server, venue, ann) -> None:
    with Producer(daphne, keys.issue(venue, ["replay", "read"])) as producer:
        for junk in JUNK:
            bodies = [junk, *({name: junk} for name in ("event_ids", "filter", "limit", "force"))]
            bodies += [
                {"filter": {name: junk}} for name in ("user", "type", "priority", "state", "from", "to")
            ]
            for body in [
                *filter(None, bodies),
                {"filter": {}, "dry_run": junk},
                {"filter": {}, "limit": junk},
            ]:
                assert producer.post("/events/replay", json=body).status_code in {200, 202, 422}, body
        for name in ("cursor", "limit", "from", "to", "user", "state", "type", "priority"):
            for text in ("x", "-1", "1.5", str(10**30), "", "\0", "nan"):
                answer = producer.get("/events", params={name: text})
                assert answer.status_code in {200, 422}, (name, text)


@pytest.mark.parametrize("text", ["x", "-1", "0", "nan"])
def test_an_inbox_before_no_seq_is_refused(daphne: Server, ann, text: str) -> None:
    url = f"{daphne.url}/api/v1/users/me/inbox"
    answer = httpx.get(url, params={"before": text}, headers={"Cookie": cookie_of(ann)}, trust_env=False)
    assert problem(answer) == (422, "invalid_parameter")


NOW_S = int(time.time())


@pytest.mark.parametrize("field", ["timestamp", "expires_at"])
@pytest.mark.parametrize(
    ("value", "unit"),
    [(NOW_S + 60, "seconds"), (NOW_S * 10**6, "microseconds"), (NOW_S * 10**9, "nanoseconds")],
    ids=["seconds", "microseconds", "nanoseconds"],
)
def test_a_time_in_another_unit_is_named(producer: Producer, field: str, value: int, unit: str) -> None:
    answer = producer.post("/events", json=event_json(**{field: value}))
    assert problem(answer) == (422, "out_of_range")
    assert (answer.json()["field"], unit in answer.json()["detail"]) == (field, True)


def test_those_who_wait_do_not_hold_up_those_who_publish(
    producer: Producer, daphne: Server, ann: User
) -> None:
    import asyncio

    event = event_json(delivery={"priority": "CRITICAL", "channels": ["EMAIL"]})
    Destination.objects.create(user=ann, kind=3, address="ann@example.org", verified_at=timezone.now())

    async def ten(client: httpx.AsyncClient) -> float:
        """Return how long the slowest of ten took, one after the other."""
        took = []
        for _ in range(10):
            started = time.monotonic()
            (await client.post("/events", json=event_json())).raise_for_status()
            took.append(time.monotonic() - started)
        return max(took)

    async def many() -> tuple[float, float]:
        limits = httpx.Limits(max_connections=400)
        headers = {"Authorization": producer.headers["Authorization"]}
        async with httpx.AsyncClient(
            base_url=f"{daphne.url}/api/v1", headers=headers, trust_env=False, timeout=30, limits=limits
        ) as client:
            await client.post("/events", json=event)
            alone = await ten(client)
            waiting = [
                asyncio.create_task(client.post("/events", json=event, params={"wait": 12}))
                for _ in range(300)
            ]
            await asyncio.sleep(3)
            beside = await ten(client)
            assert not any(task.done() for task in waiting)
            await asyncio.gather(*waiting)
            return alone, beside

    alone, beside = asyncio.run(many())
    assert beside < 1 + 2 * alone
