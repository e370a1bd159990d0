"""The story of a Python producer: five lines to a delivered event, over HTTP and over the stream."""

import contextlib
import io

import pytest
from tocsin import AsyncEventPublisher, EventPublisher
from tocsin.cli import main

ORDER = ("demo", "ORDER_FILLED", {"symbol": "BTC/USDT", "side": "buy", "fill_quantity": "0.5"})


@pytest.fixture(params=["http", "redis"])
def target(system, request, tmp_path) -> dict:
    """Return the arguments of a publisher to the running system."""
    journal = tmp_path / "journal.sqlite3"
    if request.param == "http":
        return {"url": system.url, "key": system.values["DEMO_API_KEY"], "journal": journal}
    return {"url": system.values["REDIS_URL"], "source": "demo", "journal": journal}


def test_an_event_is_delivered_and_its_resend_is_a_duplicate(system, target) -> None:
    told = []
    with EventPublisher(**target, on_ack=told.append) as publisher:
        published = publisher.critical(*ORDER)
        ack = published.wait_final(30)
        assert (ack.status, ack.delivered_via) == ("DELIVERED", "TELEGRAM")
    target["journal"] = target["journal"].with_name("another.sqlite3")
    with EventPublisher(**target) as again:
        event = published.event
        repeated = again.publish(event).wait_final(30)
    assert (repeated.duplicate, repeated.seq, repeated.status) == (True, ack.seq, "DELIVERED")
    assert [one.final for one in told][-1:] == [True]
    assert len(system.simulator.received("telegram")) == 1


async def test_a_refusal_is_a_final_ack_for_asyncio_too(system, target) -> None:
    async with AsyncEventPublisher(**target) as publisher:
        published = await publisher.critical("nobody-of-that-name", "ORDER_FILLED", {})
        ack = await published.wait_final(30)
    assert (ack.status, ack.code) == ("ACK_ERROR", "unknown_user")


def test_the_command_publishes_follows_and_finds_nothing_wrong(system, target, monkeypatch) -> None:
    for name, value in target.items():
        monkeypatch.setenv(f"TOCSIN_{name.upper()}", str(value))
    arguments = ["--user", "demo", "--type", "release.published", "--id", f"cli-{target['url'][:4]}"]
    assert _printed("publish", *arguments, "--title", "Out", "--wait", "30")[0] == 0
    assert "DELIVERED  via" in _printed("watch", arguments[-1])[1]
    assert "waiting   0" in _printed("status")[1]
    code, text = _printed("doctor")
    assert (code, "FAIL" in text) == (0, False), text


def _printed(*arguments: str) -> tuple[int, str]:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = main(list(arguments))
    return code, out.getvalue()
