"""The SMTP server, with smtplib as the client."""

import smtplib

import pytest


def test_mail_is_taken_apart_for_the_log(sandbox):
    sandbox.deliver(sandbox.mail(subject="Liquidated: ÄÖ"))
    [entry] = sandbox.entries()
    assert (entry["channel"], entry["kind"], entry["outcome"], entry["status"]) == (
        "smtp",
        "DATA",
        "accepted",
        250,
    )
    assert (entry["from"], entry["to"]) == ("noreply@tocsin.test", "ann@example.test")
    assert (entry["subject"], entry["message_id"]) == ("Liquidated: ÄÖ", "<one@tocsin.test>")
    assert (entry["text"].strip(), entry["html"].strip()) == ("plain words", "<p>rich words</p>")
    assert entry["headers"]["To"] == "ann@example.test"


def test_each_recipient_has_an_entry(sandbox):
    sandbox.deliver(sandbox.mail(), to=["a@x.test", "b@x.test"])
    assert [entry["to"] for entry in sandbox.entries(2)] == ["a@x.test", "b@x.test"]


def test_any_login_is_welcome(sandbox):
    with smtplib.SMTP("127.0.0.1", sandbox.smtp_port, "client.test", timeout=5) as client:
        assert client.login("anybody", "anything")[0] == 235


def test_mail_that_is_no_mail_is_still_logged(sandbox):
    with smtplib.SMTP("127.0.0.1", sandbox.smtp_port, "client.test", timeout=5) as client:
        client.sendmail("a@x.test", "b@x.test", b"Content-Type: text/plain; charset=no-such\r\n\r\n\xff?")
    [entry] = sandbox.entries()
    assert entry["to"] == "b@x.test" and entry["outcome"] == "accepted"


@pytest.mark.parametrize(
    ("error", "raised", "reply"),
    [
        ("mailbox_unknown", smtplib.SMTPRecipientsRefused, (550, b"5.1.1")),
        ("mailbox_full", smtplib.SMTPRecipientsRefused, (452, b"4.2.2")),
        ("greylisted", smtplib.SMTPRecipientsRefused, (451, b"4.7.1")),
        ("policy", smtplib.SMTPDataError, (550, b"5.7.1")),
        ("too_big", smtplib.SMTPDataError, (552, b"5.3.4")),
        ("auth_required", smtplib.SMTPSenderRefused, (530, b"5.7.0")),
        ("sender_refused", smtplib.SMTPSenderRefused, (550, b"5.1.8")),
        ("banned", smtplib.SMTPConnectError, (554, b"5.7.1")),
    ],
)
def test_named_error_is_answered_where_it_belongs(sandbox, error, raised, reply):
    sandbox.misbehave("smtp", error=error)
    with pytest.raises(raised) as caught:
        sandbox.deliver(sandbox.mail())
    answer = caught.value
    code, text = (
        answer.recipients["ann@example.test"]
        if isinstance(answer, smtplib.SMTPRecipientsRefused)
        else (answer.smtp_code, answer.smtp_error)
    )
    assert (code, text.split()[0]) == reply
    [entry] = sandbox.entries()
    assert (entry["outcome"], entry["status"], entry["fault"]) == ("refused", reply[0], {"error": error})


@pytest.mark.parametrize(
    ("at", "raised"),
    [
        ("connect", smtplib.SMTPConnectError),
        ("mail", smtplib.SMTPSenderRefused),
        ("rcpt", smtplib.SMTPRecipientsRefused),
        ("data", smtplib.SMTPDataError),
    ],
)
def test_any_code_can_be_answered_at_any_step(sandbox, at, raised):
    sandbox.misbehave("smtp", status=451, at=at)
    with pytest.raises(raised):
        sandbox.deliver(sandbox.mail())
    [entry] = sandbox.entries()
    assert (entry["kind"], entry["status"]) == (at.upper(), 451)


def test_answer_dropped_after_the_final_dot_leaves_the_mail_taken(sandbox):
    sandbox.misbehave("smtp", drop_answer=True, match="ann@example.test", times=1)
    with pytest.raises(smtplib.SMTPServerDisconnected):
        sandbox.deliver(sandbox.mail())
    sandbox.deliver(sandbox.mail())
    first, second = sandbox.entries(2)
    assert (first["outcome"], first["subject"]) == ("dropped_answer", "Order filled")
    assert "status" not in first
    assert second["outcome"] == "accepted"


@pytest.mark.parametrize("at", ["connect", "mail", "rcpt", "data"])
def test_hang_keeps_the_client_waiting(sandbox, at):
    sandbox.misbehave("smtp", hang=True, at=at)
    with pytest.raises((TimeoutError, smtplib.SMTPServerDisconnected)):
        sandbox.deliver(sandbox.mail(), timeout_s=0.3)
    [entry] = sandbox.entries()
    assert (entry["kind"], entry["outcome"]) == (at.upper(), "hung")


@pytest.mark.parametrize("at", ["connect", "mail", "rcpt", "data"])
def test_refuse_resets_the_connection(sandbox, at):
    sandbox.misbehave("smtp", refuse=True, at=at, times=1)
    with pytest.raises((ConnectionError, smtplib.SMTPServerDisconnected)):
        sandbox.deliver(sandbox.mail())
    [entry] = sandbox.entries()
    assert (entry["kind"], entry["outcome"]) == (at.upper(), "refused")
    sandbox.deliver(sandbox.mail())


def test_match_strikes_one_address_only(sandbox):
    sandbox.misbehave("smtp", error="auth_required", match="ann@example.test")
    sandbox.deliver(sandbox.mail(to="bob@example.test"))
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        sandbox.deliver(sandbox.mail(to="ann@example.test"))


def test_slow_mail_is_taken_before_it_is_answered(sandbox):
    sandbox.misbehave("smtp", latency_ms=60_000)
    with pytest.raises((TimeoutError, smtplib.SMTPServerDisconnected)):
        sandbox.deliver(sandbox.mail(), timeout_s=0.3)
    [entry] = sandbox.entries()
    assert entry["outcome"] == "accepted"
