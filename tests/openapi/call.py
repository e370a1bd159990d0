"""Publishes an event with the generated client, asks for it and for another, and prints the answers."""

import json
import os
import time

from generated import AuthenticatedClient
from generated.api.events import get_event, publish_event
from generated.models import Event

client = AuthenticatedClient(os.environ["API_URL"], os.environ["API_KEY"], httpx_args={"trust_env": False})
event = Event.from_dict(
    {
        "event_id": "generated-py",
        "user_id": "ann",
        "timestamp": int(time.time() * 1000),
        "event_type": "ORDER_FILLED",
        "payload": {"symbol": "BTC/USDT"},
    }
)
published = publish_event.sync_detailed(client=client, body=event)
story = get_event.sync(client=client, event_id="generated-py")
unknown = get_event.sync(client=client, event_id="nothing")
print(
    json.dumps(
        {
            "status": int(published.status_code),
            "code": published.parsed.code,
            "user_id": story.user_id,
            "outcomes": len(story.ack.outcomes),
            "refused": unknown.code,
        }
    )
)
