"""Which wording a message gets: the table in docs/templates.md, and nothing slower where there is none."""

import pytest

from notifications.rendering import published
from notifications.rendering.published import EVERY_S
from notifications.rendering.render import render
from notifications.states import Channel
from notifications.words import Words
from tests.notifications.rendering.rendered_messages import AT_MS, Content, Priority, rendered

SHIPPED = "Order filled"
ORDER = Content("e1", "ORDER_FILLED", Priority.NORMAL, AT_MS, {}, "UTC")

TYPE, EMAIL, DE, SWISS, ENGLISH, FRENCH, FAMILY = (
    {},
    {"channel": Channel.EMAIL},
    {"locale": "de"},
    {"locale": "de-CH"},
    {"locale": "en"},
    {"locale": "fr"},
    {"event_type": "ORDER", "is_family": True},
)
EMAIL_DE, EMAIL_SWISS = EMAIL | DE, EMAIL | SWISS


def name(of: dict) -> str:
    return " ".join(str(value) for value in of.values()) or "type"


@pytest.mark.parametrize(
    ("stored", "event_type", "channel", "locale", "used"),
    [
        # What is nearer wins: the channel before the language, and both before one of them.
        ([TYPE, EMAIL, DE, EMAIL_DE], "ORDER_FILLED", Channel.EMAIL, "de", EMAIL_DE),
        ([TYPE, EMAIL, DE], "ORDER_FILLED", Channel.EMAIL, "de", EMAIL),
        ([TYPE, DE], "ORDER_FILLED", Channel.EMAIL, "de", DE),
        ([TYPE], "ORDER_FILLED", Channel.EMAIL, "de", TYPE),
        ([], "ORDER_FILLED", Channel.EMAIL, "en", None),
        # A template serves its own channel and language only.
        ([EMAIL, DE], "ORDER_FILLED", Channel.WEB, "en", None),
        ([TYPE, EMAIL, EMAIL_DE], "ORDER_FILLED", Channel.TELEGRAM, "de", TYPE),
        # Languages fall back as those of the shipped wordings do.
        ([DE, SWISS], "ORDER_FILLED", Channel.WEB, "de-CH", SWISS),
        ([DE, SWISS], "ORDER_FILLED", Channel.WEB, "de-AT", DE),
        ([EMAIL_DE, EMAIL_SWISS, EMAIL], "ORDER_FILLED", Channel.EMAIL, "de-CH", EMAIL_SWISS),
        ([ENGLISH], "ORDER_FILLED", Channel.WEB, "en-GB", ENGLISH),
        ([ENGLISH], "ORDER_FILLED", Channel.WEB, "fr", ENGLISH),
        ([ENGLISH, FRENCH], "ORDER_FILLED", Channel.WEB, "fr", FRENCH),
        # A person whose language is shipped gets it rather than an operator's English.
        ([ENGLISH], "ORDER_FILLED", Channel.WEB, "de", None),
        # A type is meant in every spelling, and never another type of its family.
        ([TYPE], "order.filled", Channel.WEB, "en", TYPE),
        ([TYPE], "order.filled.in_simulation", Channel.WEB, "en", None),
        # A family's serves the types without a wording of their own, stored or shipped.
        ([FAMILY], "order.routed", Channel.WEB, "en", FAMILY),
        ([FAMILY], "ORDER_FILLED", Channel.WEB, "en", None),
        ([FAMILY, FAMILY | EMAIL], "order.routed", Channel.EMAIL, "en", FAMILY | EMAIL),
        ([FAMILY, {"event_type": "order.routed"}], "order.routed", Channel.WEB, "en", "order.routed"),
        (
            [FAMILY, {"event_type": "order.routed", "is_family": True}],
            "order.routed.again",
            Channel.WEB,
            "en",
            "order.routed True",
        ),
    ],
)
def test_the_nearest_stored_wording_is_used(publish, stored, event_type, channel, locale, used) -> None:
    for of in stored:
        publish(title=f"[{name(of)}]", **of)
    message = render(order(event_type=event_type, locale=locale), channel, key="k")
    if used is None:
        assert "[" not in message.title
        assert message.template_version is None
    else:
        wanted = used if isinstance(used, str) else name(used)
        assert message.title == f"[{wanted}]"
        assert message.template_version is not None


def order(**fields) -> Content:
    return ORDER._replace(**fields)


def test_a_stored_wording_is_laid_out_and_escaped_as_a_file_is(publish) -> None:
    publish(
        title="{{ payload.symbol }}   filled",
        body="  a <b>\n\n\n\nb · {{ payload.none }} · c\n{{ payload.none }}\nd",
    )
    email = rendered(channel=Channel.EMAIL, payload={"symbol": "<i>X</i>", "dry_run": True})
    assert email.title == "Simulated: <i>X</i> filled"
    assert "a <b>\n\nb · c\nd" in email.text
    assert "a &lt;b&gt;<br><br>b · c<br>d" in email.html
    assert "&lt;i&gt;X&lt;/i&gt;" in email.html
    telegram = rendered(channel=Channel.TELEGRAM, payload={"symbol": "<i>X</i>"})
    assert telegram.html.startswith("<b>&lt;i&gt;X&lt;/i&gt; filled</b>")


def test_no_trick_marks_a_value_as_safe(publish) -> None:
    publish(
        title="{{ payload.x|default:'<b>'|upper }}",
        body="{% firstof payload.x '<u>' %}{% with a='<s>' %}{{ a }}{% endwith %}",
    )
    for channel in (Channel.TELEGRAM, Channel.EMAIL):
        html = (
            rendered(channel=channel, payload={"x": "<script>"}).html
            + rendered(channel=channel, payload={}).html
        )
        assert not {"<script", "<SCRIPT", "<s>", "<u>"} & {
            part for part in ("<script", "<SCRIPT", "<s>", "<u>") if part in html
        }


def test_the_language_of_the_wording_is_that_of_the_message(publish) -> None:
    publish(title="Auftrag", locale="de")
    publish(title="Commande", locale="fr")
    mails = {locale: render(order(locale=locale), Channel.EMAIL, key="k") for locale in ("de-CH", "fr-CH")}
    assert 'lang="de-CH"' in mails["de-CH"].html
    assert mails["fr-CH"].title == "Commande"
    assert 'lang="fr-CH"' in mails["fr-CH"].html


def test_a_process_reads_what_is_published_every_few_seconds(publish, olga, now) -> None:
    from notifications.authoring import drafts

    version = publish(title="First")
    published.forget()
    published.refresh(at_s=100.0)
    assert rendered().title == "First"
    drafts.withdraw(version.template_id, by=olga, now=now)
    published.refresh(at_s=100.0 + EVERY_S - 0.1)
    assert rendered().title == "First"
    published.refresh(at_s=100.0 + EVERY_S)
    assert rendered().title != "First"


def test_the_query_is_one_for_many_batches(publish, django_assert_num_queries) -> None:
    publish(title="First")
    with django_assert_num_queries(1):
        for count in range(100):
            published.refresh(at_s=1_000.0 + count / 100)


def test_without_postgres_the_last_known_stay(publish, settings) -> None:
    from django.db import connection

    publish(title="First")
    with connection.execute_wrapper(fail):
        published.refresh(at_s=5_000.0)
    assert rendered().title == "First"


def fail(*_):
    from django.db import OperationalError

    raise OperationalError("away")


class Asked(published.Published):
    def choose(self, wanted):
        raise AssertionError("nothing is stored, so nothing is looked for")


def test_where_nothing_is_stored_nothing_is_looked_for() -> None:
    assert render(order(), Channel.EMAIL, key="k", wordings=Asked({})).title == SHIPPED


@pytest.mark.parametrize(
    ("stored", "words", "payload", "title", "used"),
    [
        # What the producer says for this event comes before every template,
        (TYPE, Words(title="Said"), {}, "Said", False),
        # a template of the type comes before the words in its payload,
        ({"event_type": "deploy.done"}, None, {"title": "Said"}, "Stored", True),
        # and those come before the template of a family, which then says the rest.
        ({"event_type": "deploy", "is_family": True}, None, {"title": "Said"}, "Said", True),
        ({"event_type": "deploy", "is_family": True}, None, {"host": "a"}, "Stored", True),
    ],
)
def test_a_stored_wording_among_the_producers_own_words(publish, stored, words, payload, title, used) -> None:
    publish(title="Stored", **stored)
    event_type = "ORDER_FILLED" if stored is TYPE else "deploy.done"
    message = render(order(event_type=event_type, payload=payload, words=words), Channel.WEB, key="k")
    assert message.title == title
    assert (message.template_version is not None) == used
