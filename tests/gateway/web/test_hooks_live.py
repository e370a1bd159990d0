"""The webhook on a real server, as Telegram calls it: set by the command, and repeated through an outage."""

from collections.abc import Iterator
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from tests.gateway.servers import Server, running_server_of
from tests.kit.eventually import eventually
from tests.kit.simulator import SimulatorProcess

SECRET = "a-secret-of-the-webhook"


@pytest.fixture
def telegram() -> Iterator[SimulatorProcess]:
    simulator = SimulatorProcess()
    yield simulator
    simulator.stop()


@pytest.fixture
def server(telegram, transactional_db, tmp_path, settings) -> Iterator[Server]:
    from notifications.delivery import sending_loop
    from notifications.transports import registry
    from notifications.transports.telegram.transport import TelegramTransport

    settings.TELEGRAM_BOT_TOKEN, settings.TELEGRAM_API_URL = "1000:token", f"{telegram.url}/bot"
    settings.TELEGRAM_WEBHOOK_SECRET = SECRET
    given = {"TELEGRAM_BOT_TOKEN": "1000:token", "TELEGRAM_API_URL": f"{telegram.url}/bot"}
    transport = TelegramTransport()
    with (
        registry.using(transport),
        running_server_of(tmp_path / "daphne.log", TELEGRAM_WEBHOOK_SECRET=SECRET, **given) as running,
    ):
        yield running
        sending_loop.submit(transport.api.close()).result(5)


def command(*given: str) -> str:
    output = StringIO()
    call_command("telegram_webhook", *given, stdout=output)
    return output.getvalue()


def test_a_person_is_answered_over_the_webhook(server, telegram, ann, settings) -> None:
    ann.destinations.create(kind=2, address="4711", verified_at=ann.date_joined)
    assert command("set", server.url) == f"Telegram calls {server.url}/hooks/telegram\n"
    telegram.person("4711", "write", text="/status")
    eventually(lambda: len(telegram.chat("4711")["messages"]) == 2, within_s=15)
    assert telegram.chat("4711")["messages"][1]["text"].startswith("This chat is linked to ann.")
    assert "pending_update_count: 0" in command("info")
    assert command("delete") == "There is no webhook now.\n"
    settings.TELEGRAM_WEBHOOK_SECRET = ""
    with pytest.raises(CommandError, match="TELEGRAM_WEBHOOK_SECRET"):
        command("set", server.url)
