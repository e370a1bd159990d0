"""The peer of `deliveries.py`: a Celery application with one task that posts, and nothing else."""

import os

import httpx
from celery import Celery

app = Celery("bare", broker=os.environ.get("REDIS_URL"))
app.conf.update(
    task_ignore_result=True,
    task_acks_late=True,
    worker_prefetch_multiplier=1,
    task_default_queue="bare",
    broker_transport_options={"visibility_timeout": 180},
)
_client: httpx.Client | None = None


@app.task(name="bare.call", autoretry_for=(httpx.HTTPError,))
def call(url: str, chat_id: int) -> None:
    """Post one message over a pooled connection."""
    global _client
    if _client is None:
        _client = httpx.Client(timeout=10, trust_env=False)
    _client.post(url, data={"chat_id": chat_id, "text": "BUY 0.5 BTC/USDT filled"}).raise_for_status()
