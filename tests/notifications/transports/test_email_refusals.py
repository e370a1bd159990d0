"""Whose fault a mail server's refusal is, and which addresses go on the wire."""

import pytest

from notifications.transports.base import (
    ConfigurationError,
    Message,
    MessageError,
    OutcomeUnknown,
    Receipt,
    RecipientError,
    TemporaryError,
)
from notifications.transports.email.transport import EmailTransport
from tests.notifications.transports.scripted_mail_server import ScriptedMailServer, serving

MESSAGE = Message("0192-key", "Order filled", "plain words")


@pytest.fixture
def send(make_transport, settings):
    """Send one mail to a server that gives these answers."""
    email = make_transport(EmailTransport)

    async def send(server: ScriptedMailServer, address: str = "ann@example.org") -> Receipt:
        async with serving(server) as settings.EMAIL_PORT:
            return await email.send(MESSAGE, address, timeout_s=5)

    return send


@pytest.mark.parametrize(
    ("command", "answer", "error"),
    [
        # Nothing before RCPT knows the recipient.
        ("GREETING", "550 blocked", ConfigurationError),
        ("GREETING", "550 5.1.1 no", ConfigurationError),
        ("GREETING", "554 5.7.1 your host is listed", ConfigurationError),
        ("GREETING", "421 4.7.0 later", TemporaryError),
        ("GREETING", "HTTP/1.1 403 Forbidden", TemporaryError),
        ("GREETING", "550-blocked\n550 5.1.1 still", ConfigurationError),
        ("MAIL", "550 no", ConfigurationError),
        ("MAIL", "553 no", ConfigurationError),
        ("MAIL", "550 5.1.8 bad sender", ConfigurationError),
        ("MAIL", "501 5.1.7 bad sender", ConfigurationError),
        ("MAIL", "550 5.1.1 no", ConfigurationError),
        ("MAIL", "530 5.7.0 log in first", ConfigurationError),
        ("MAIL", "451 4.3.0 later", TemporaryError),
        ("MAIL", "552 5.3.4 too big", MessageError),
        ("MAIL", "552 too big", MessageError),
        # RCPT speaks of the recipient with these codes.
        ("RCPT", "550 5.1.1 unknown", RecipientError),
        ("RCPT", "550 5.1.2 no such host", RecipientError),
        ("RCPT", "501 5.1.3 syntax", RecipientError),
        ("RCPT", "551 5.1.6 moved", RecipientError),
        ("RCPT", "550 5.1.10 RecipientNotFound", RecipientError),
        ("RCPT", "550 5.2.1 disabled", RecipientError),
        ("RCPT", "550 5.4.1 Recipient address rejected", RecipientError),
        ("RCPT", "550 no such user", RecipientError),
        ("RCPT", "551 user not local", RecipientError),
        ("RCPT", "553 mailbox name not allowed", RecipientError),
        ("RCPT", "550-5.1.1 unknown\n550 5.1.1 see our pages", RecipientError),
        ("RCPT", "550 User unknown in relay recipient table", RecipientError),
        # … and of us, or of nothing in particular, with others.
        ("RCPT", "550 5.1.7 bad sender", ConfigurationError),
        ("RCPT", "550 5.1.8 bad sender", ConfigurationError),
        ("RCPT", "554 5.7.1 relay access denied", ConfigurationError),
        ("RCPT", "550 5.7.1 client host is listed", ConfigurationError),
        ("RCPT", "530 log in first", ConfigurationError),
        ("RCPT", "550 relay not permitted", ConfigurationError),
        ("RCPT", "550 Sender verify failed", ConfigurationError),
        ("RCPT", "550 [192.0.2.1] is in a DNSBL", ConfigurationError),
        ("RCPT", "554 5.7.1 Client host [5.1.1.7] blocked", ConfigurationError),
        ("RCPT", "554 host 5.1.1 is out of order", MessageError),
        ("RCPT", "550 5.0.0 no", MessageError),
        ("RCPT", "554 5.3.0 no", MessageError),
        ("RCPT", "552 5.2.2 mailbox full", TemporaryError),
        ("RCPT", "552 mailbox full", TemporaryError),
        ("RCPT", "550 4.2.1 contradicts itself", TemporaryError),
        ("RCPT", "450 4.1.1 unknown, maybe", TemporaryError),
        ("RCPT", "700 5.1.1 no such class", TemporaryError),
        # What follows DATA speaks of the message.
        ("DATA", "554 5.5.1 no valid recipients", MessageError),
        ("DATA", "550 no", MessageError),
        ("DOT", "550 no", MessageError),
        ("DOT", "550 5.1.1 unknown", MessageError),
        ("DOT", "553 no", MessageError),
        ("DOT", "554 5.6.0 bad content", MessageError),
        ("DOT", "550 5.7.1 policy", ConfigurationError),
        ("DOT", "452 4.3.1 disk full", TemporaryError),
        ("DOT", "354 again", OutcomeUnknown),
        ("DOT", "<html>", OutcomeUnknown),
    ],
)
async def test_the_command_that_is_refused_says_whose_fault_it_is(send, command, answer, error) -> None:
    with pytest.raises(Exception) as caught:
        await send(ScriptedMailServer({command: answer}))
    assert type(caught.value) is error
    assert not any(word in caught.value.reason for word in ("<", "blocked", "listed", "unknown,"))


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ("535 5.7.8 wrong", ConfigurationError),
        ("550 5.1.1 no", ConfigurationError),
        ("454 later", TemporaryError),
    ],
)
async def test_a_refused_login_is_never_the_recipients_fault(send, settings, answer, error) -> None:
    settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "tocsin", "secret"
    with pytest.raises(Exception) as caught:
        await send(ScriptedMailServer({"EHLO": "250-scripted.test\n250 AUTH PLAIN", "AUTH": answer}))
    assert type(caught.value) is error


@pytest.mark.parametrize("password", ["pässwort", "secret"])
async def test_a_login_that_cannot_be_made_is_our_configuration(send, settings, password) -> None:
    settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "tocsin", password
    ehlo = "250-scripted.test\n250 AUTH PLAIN" if password == "pässwort" else "250 scripted.test"
    with pytest.raises(ConfigurationError):
        await send(ScriptedMailServer({"EHLO": ehlo}))


@pytest.mark.parametrize("sender", ["", "Tocsin", "jörg@example.org", "a@example.org, b@example.org"])
async def test_a_sender_that_is_none_is_our_configuration(send, settings, sender) -> None:
    settings.DEFAULT_FROM_EMAIL = sender
    with pytest.raises(ConfigurationError, match="DEFAULT_FROM_EMAIL"):
        await send(ScriptedMailServer())


@pytest.mark.parametrize("answer", ["250 OK", "251 forwarded", "200 fine"])
async def test_every_positive_answer_after_the_dot_is_an_acceptance(send, answer) -> None:
    assert (await send(ScriptedMailServer({"DOT": answer}))).provider_message_id


UTF8 = {"EHLO": "250-scripted.test\n250-8BITMIME\n250 SMTPUTF8"}


@pytest.mark.parametrize("address", ["jörg@example.org", "用户@例子.广告", "δοκιμή@παράδειγμα.δοκιμή"])
async def test_an_address_beyond_ascii_goes_unchanged_to_a_server_that_takes_it(send, address) -> None:
    server = ScriptedMailServer(UTF8)
    await send(server, address)
    [rcpt] = [line for line in server.commands if line.startswith("rcpt")]
    local = address.partition("@")[0]
    assert rcpt.startswith(f"rcpt TO:<{local}@")
    assert f"To: {local}@".encode() in server.mails[0]


async def test_an_address_beyond_ascii_is_refused_where_the_server_takes_none(send) -> None:
    server = ScriptedMailServer()
    with pytest.raises(RecipientError, match="ASCII"):
        await send(server, "jörg@example.org")
    assert not server.mails and not any(line.startswith("rcpt") for line in server.commands)


@pytest.mark.parametrize(
    ("address", "rcpt"),
    [
        ("ann@example.org", "ann@example.org"),
        ("Ann.B+tag=x@Example.org", "Ann.B+tag=x@Example.org"),
        ('"ann b"@example.org', '"ann b"@example.org'),
        ("ann@[192.0.2.1]", "ann@[192.0.2.1]"),
        ("ann@mailhost", "ann@mailhost"),
        ("ann@bücher.example", "ann@xn--bcher-kva.example"),
        ("ann@faß.example", "ann@xn--fa-hia.example"),  # not fass.example
    ],
)
async def test_an_address_reaches_the_server_as_it_is(send, address, rcpt) -> None:
    server = ScriptedMailServer()
    await send(server, address)
    assert f"rcpt TO:<{rcpt}>" in server.commands


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ann",
        "@example.org",
        "ann@",
        "Ann <ann@example.org>",
        "<ann@example.org>",
        "ann@example.org ",
        " ann@example.org",
        "ann b@example.org",
        "ann(home)@example.org",
        "one@example.org, two@example.org",
        "one@example.org,two@example.org",
        "ann@example.org\r\nRCPT TO:<spy@example.org>",
        "ann@exa mple.org",
        "ann@example..org",
        ".ann@example.org",
        "ann\u200b@example.org",
        "ann\u00a0b@example.org",
        "ann@exa\u202emple.org",
        "ann\ud800@example.org",
        "ann@xn--\u00e9.example",
        f"{'a' * 400}@example.org",
        "987654321",
    ],
)
async def test_what_is_no_single_address_is_refused_as_a_recipient(send, address) -> None:
    server = ScriptedMailServer(UTF8)
    with pytest.raises(RecipientError):
        await send(server, address)
    assert server.commands == []
