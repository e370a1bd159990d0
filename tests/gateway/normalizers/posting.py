"""What posts to hooks in the tests, and what became of it."""

import json
from typing import Any

import httpx

from notifications.models import Event
from tests.gateway.servers import Server
from users import hooks
from users.models import Hook, Source


class Poster(httpx.Client):
    """A system that posts to one hook."""

    def __init__(self, server: Server, source: Source, normalizer: str, options: dict | None = None) -> None:
        super().__init__(base_url=f"{server.url}/api/v1/hooks", timeout=40, trust_env=False)
        self.hook = Hook(source=source, normalizer=normalizer, options=options or {})
        self.token = hooks.issue(self.hook)

    def tell(self, body: Any, *, account: str = "", **headers: str) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.post(
            f"/{self.hook.normalizer}/{self.token}",
            content=content,
            headers={"Content-Type": "application/json"} | named,
            params={"account": account} if account else {},
        )


def codes(answer: httpx.Response) -> list[tuple[str, str, bool]]:
    """Return id, status and whether it was known, of each event."""
    return [
        (ack["event_id"], ack["code"] or ack["status"], ack["duplicate"]) for ack in answer.json()["events"]
    ]


def stored() -> list[Event]:
    return list(Event.objects.select_related("source", "person").order_by("pk"))
