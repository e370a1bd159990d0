"""The OpenAPI document and its page."""

import re

import httpx
import pytest

from gateway.codec import events
from tests.gateway.good_events import GRANT
from tests.gateway.other_ends import Producer
from tests.gateway.servers import Server

CALLS = {
    "/api/v1/accounts": "get put",
    "/api/v1/callback": "delete get put",
    "/api/v1/callback/rotate": "post",
    "/api/v1/erasures/{pk}": "get",
    "/api/v1/event": "get",
    "/api/v1/event-groups": "get",
    "/api/v1/events": "get post",
    "/api/v1/events/batch": "post",
    "/api/v1/events/replay": "post",
    "/api/v1/events/stats": "get",
    "/api/v1/events/{event_id}": "get",
    "/api/v1/hooks": "get post",
    "/api/v1/hooks/{hook_id}": "delete get patch",
    "/api/v1/hooks/{hook_id}/token": "put",
    "/api/v1/hooks/{normalizer}/{token}": "post",
    "/api/v1/keys": "get post",
    "/api/v1/keys/{prefix}": "delete",
    "/api/v1/keys/{prefix}/rotate": "post",
    "/api/v1/quarantine": "get",
    "/api/v1/quarantine/{row_id}/retry": "post",
    "/api/v1/templates": "get put",
    "/api/v1/templates/preview": "post",
    "/api/v1/templates/{template_id}/published": "put",
    "/api/v1/tickets": "post",
    "/api/v1/users": "get post",
    "/api/v1/users/{external_id}": "delete get patch put",
    "/api/v1/users/{external_id}/destinations": "get post",
    "/api/v1/users/{external_id}/destinations/telegram/link": "post",
    "/api/v1/users/{external_id}/destinations/{destination_id}": "delete patch",
    "/api/v1/users/{external_id}/destinations/{destination_id}/test": "post",
    "/api/v1/users/{external_id}/destinations/{destination_id}/verify": "post",
    "/api/v1/users/{external_id}/export": "get",
    "/api/v1/users/{external_id}/inbox": "get",
    "/api/v1/users/{external_id}/mutes": "get post",
    "/api/v1/users/{external_id}/mutes/{mute_id}": "delete",
    "/api/v1/users/{external_id}/preferences": "get put",
    "/api/v1/users/{external_id}/reachability": "get",
    "/api/v1/users/{external_id}/revoke": "post",
    "/api/v1/users/{external_id}/topics": "get",
    "/api/v1/users/{external_id}/topics/{topic}": "delete put",
}


@pytest.fixture
def document(daphne: Server) -> dict:
    return httpx.get(f"{daphne.url}/api/v1/openapi.json", trust_env=False).raise_for_status().json()


def test_it_lists_the_calls(document: dict) -> None:
    assert document["openapi"].startswith("3.")
    calls = {path: " ".join(sorted(item)) for path, item in document["paths"].items()}
    assert calls == CALLS


def test_its_examples_are_accepted(document: dict, producer: Producer) -> None:
    from users.models import User

    User.objects.create_user("demo", external_id="demo")
    one = document["paths"]["/api/v1/events"]["post"]["requestBody"]["content"]["application/json"]
    many = document["paths"]["/api/v1/events/batch"]["post"]["requestBody"]["content"]["application/json"]
    assert events.from_json(one["example"], GRANT).event_id == one["example"]["event_id"]
    assert producer.post("/events", json=one["example"]).status_code in {200, 202}
    answer = producer.post("/events/batch", json=many["example"])
    assert [ack["duplicate"] for ack in answer.json()["acks"]] == [True]


def test_every_answer_that_is_given_is_described(document: dict) -> None:
    responses = document["paths"]["/api/v1/events"]["post"]["responses"]
    assert {"200", "202", "401", "403", "409", "413", "415", "422", "503"} <= set(responses)


def test_its_page_needs_nothing_from_elsewhere(daphne: Server) -> None:
    with httpx.Client(base_url=daphne.url, trust_env=False) as client:
        page = client.get("/api/v1/docs")
        assert page.status_code == 200
        links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        assert any(link.endswith(".js") for link in links)
        assert [link for link in links if re.match(r"(https?:)?//", link)] == []
        for link in links:
            assert client.get(link).status_code == 200, link
