"""asyncio, Django's transactions, the fake for tests, and the command line."""

import asyncio

import pytest
import tocsin.testing
from django.db import transaction
from tocsin import AsyncEventPublisher, Event, EventPublisher, InvalidEvent, NotFinal
from tocsin.cli import main
from tocsin.testing import failed, fake, queued

from tests.clients.python.given_answers import acks, problem


async def test_asyncio_publishes_many_at_once_with_few_writes(server, journal) -> None:
    told: list[str] = []

    async def heard(ack: tocsin.Ack) -> None:
        told.append(ack.event_id)

    async with AsyncEventPublisher(server.url, key="tsn_a_b", journal=journal, on_ack=heard) as publisher:
        published = await asyncio.gather(*(publisher.critical("a", "X_Y") for _ in range(100)))
        finals = await asyncio.gather(*(one.wait_final(10) for one in published))
        assert all(ack.delivered for ack in finals)
        with pytest.raises(NotFinal):
            await publisher.wait_final("no such event", 0.01)
        with pytest.raises(InvalidEvent):
            await publisher.critical("a", "")
    assert sorted(told) == sorted(one.event_id for one in published)


async def test_a_cancelled_publisher_does_not_keep_the_others(server, journal) -> None:
    async with AsyncEventPublisher(server.url, key="tsn_a_b", journal=journal) as publisher:
        tasks = [asyncio.ensure_future(publisher.critical("a", "X_Y")) for _ in range(3)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        rest = await asyncio.gather(*tasks[1:])
        assert all([(await one.wait_final(10)).delivered for one in rest])


@pytest.mark.django_db(transaction=True)
def test_an_event_goes_out_after_the_commit_and_not_after_a_rollback() -> None:
    with fake() as sent:
        publisher = EventPublisher()
        with transaction.atomic():
            event_id = publisher.after_commit().critical("a", "X_Y")
            assert sent.events == []
        assert [event.event_id for event in sent.events] == [event_id]
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            publisher.after_commit().critical("a", "X_Y")
            raise ZeroDivisionError
        with pytest.raises(InvalidEvent):
            publisher.after_commit().critical("a", "")
    assert len(sent.events) == 1


def test_a_fake_takes_the_events_of_publishers_that_exist(server, publish_to) -> None:
    told = []
    publisher = publish_to(on_ack=told.append)
    with fake() as sent:
        assert publisher.critical("a", "X_Y", {"n": 1}).wait_final(0).evidence == "CLIENT"
        sent.answer = failed("no_channel")
        assert publisher.publish(Event("a", "other.type")).wait_final(0).code == "no_channel"
        sent.answer = queued
        with pytest.raises(NotFinal):
            publisher.informational("a", "X_Y").wait_final(0)
    assert [event.payload for event in sent.of_type("X_Y")] == [{"n": 1}, {}]
    assert [ack.status for ack in told] == ["DELIVERED", "ACK_ERROR", "QUEUED"]
    assert server.batches == []
    assert publisher.critical("a", "X_Y").wait_final(5).delivered  # afterwards it goes out again


async def test_a_fake_takes_those_of_asyncio_too() -> None:
    with fake() as sent:
        async with AsyncEventPublisher() as publisher:
            published = await publisher.active_or_fallback("a", "X_Y")
            assert (await published.wait_final(0)).delivered
    assert len(sent.events) == 1


def test_the_command_says_how_it_ended(server, journal, monkeypatch, capsys) -> None:
    monkeypatch.setenv("TOCSIN_URL", server.url)
    monkeypatch.setenv("TOCSIN_KEY", "tsn_a_b")
    monkeypatch.setenv("TOCSIN_JOURNAL", str(journal))
    assert main(["publish", "--user", "a", "--type", "X_Y", "--payload", '{"n": 1}']) == 0
    assert "via WEB" in capsys.readouterr().out
    server.answers = [acks("ACK_ERROR", code="no_channel", outcomes=[])]
    assert main(["publish", "--user", "a", "--type", "X_Y", "--id", "e1"]) == 1
    assert "no_channel" in capsys.readouterr().out
    server.answers = [problem(401, "invalid_key")]
    assert main(["publish", "--user", "a", "--type", "X_Y", "--wait", "0.5"]) == 1
    assert "invalid_key" in capsys.readouterr().out
    assert main(["status"]) == 1
    assert "waiting   1" in capsys.readouterr().out
    assert main(["watch", "e1"]) == 0
    assert "no_channel" in capsys.readouterr().out
    assert main(["publish", "--user", "a", "--type", "X_Y", "--payload", "{"]) == 2
    assert "payload" in capsys.readouterr().err


def test_the_doctor_names_a_service_that_is_not_there(journal, capsys) -> None:
    arguments = ["--url", "http://127.0.0.1:1", "--key", "tsn_a_b", "--journal", str(journal)]
    assert main(["doctor", *arguments]) == 1
    printed = capsys.readouterr().out
    assert "FAIL  service" in printed
    assert "ok    journal" in printed
