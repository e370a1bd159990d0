"""What only e-mail does: a conversation of many steps, on threads."""

import asyncio

import pytest

from notifications.transports.base import Message, TemporaryError
from notifications.transports.email.transport import EmailTransport

MESSAGE = Message("0192-key", "Order filled", "plain words", "<p>rich words</p>")


@pytest.fixture
def email(make_transport) -> EmailTransport:
    return make_transport(EmailTransport)


async def test_the_message_id_is_made_of_the_key(email, providers, settings):
    settings.DEFAULT_FROM_EMAIL = "Tocsin <noreply@tocsin.test>"
    receipt = await email.send(MESSAGE, "ann@example.org", timeout_s=5)
    (arrived,) = providers.received("smtp")
    assert receipt.provider_message_id == arrived["message_id"] == "<0192-key@tocsin.test>"
    assert (arrived["from"], arrived["subject"]) == ("noreply@tocsin.test", "Order filled")
    assert (arrived["text"].strip(), arrived["html"].strip()) == ("plain words", "<p>rich words</p>")
    assert arrived["headers"]["Auto-Submitted"] == "auto-generated"


async def test_a_mail_server_that_is_slow_at_every_step_does_not_take_longer(email, providers):
    providers.misbehave("smtp", at="mail", latency_ms=300)
    providers.also_misbehave("smtp", at="rcpt", latency_ms=300)
    began = asyncio.get_running_loop().time()
    with pytest.raises(TemporaryError):
        await email.send(MESSAGE, "ann@example.org", timeout_s=0.5)
    assert asyncio.get_running_loop().time() - began < 1
    assert providers.received("smtp") == []


async def test_a_mail_server_that_hangs_leaves_the_loops_threads_alone(email, providers):
    """Name lookups of all other transports run on these threads."""
    providers.misbehave("smtp", hang=True)
    sends = [asyncio.create_task(email.send(MESSAGE, "ann@example.org", timeout_s=1)) for _ in range(30)]
    await asyncio.sleep(0.1)
    began = asyncio.get_running_loop().time()
    await asyncio.get_running_loop().getaddrinfo("localhost", 80)
    assert asyncio.get_running_loop().time() - began < 0.5
    results = await asyncio.gather(*sends, return_exceptions=True)
    assert {type(result) for result in results} == {TemporaryError}
