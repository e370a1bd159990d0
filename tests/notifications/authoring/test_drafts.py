"""A draft, its publication, and the way back: who did what, and what is in use."""

import pytest

from notifications.authoring import drafts
from notifications.authoring.drafts import Conflict, NotPublishable, Text
from notifications.authoring.validation import findings
from notifications.models import MessageTemplate, TemplateChange, TemplateVersion
from notifications.rendering import shipped
from notifications.states import Channel
from tests.notifications.rendering.rendered_messages import rendered


def story(template) -> list[str]:
    return [
        f"{one.who} {one.surface} {one.action}" + (f" {one.version}" if one.version else "")
        for one in reversed(TemplateChange.objects.filter(template=template))
    ]


def test_every_change_is_noted_with_who_and_when(
    write, olga, now, django_capture_on_commit_callbacks
) -> None:
    template = write(title="One")
    with django_capture_on_commit_callbacks(execute=True):
        drafts.publish(template.pk, by=olga, now=now)
    assert rendered().title == "One"
    saved = drafts.save(template.pk, Text("Two"), seen_at=now, by=olga, now=now)
    assert (saved.has_draft, rendered().title) == (True, "One")
    with django_capture_on_commit_callbacks(execute=True):
        drafts.publish(template.pk, by=olga, now=now)
    assert rendered().title == "Two"
    with django_capture_on_commit_callbacks(execute=True):
        drafts.publish_again(template.pk, 1, by=olga, now=now)
    assert rendered().title == "One"
    drafts.discard(template.pk, by=olga, now=now)
    with django_capture_on_commit_callbacks(execute=True):
        drafts.withdraw(template.pk, by=olga, now=now)
    assert rendered().title == "BUY 0.5 BTC/USDT filled at 64,250.00"
    template.refresh_from_db()
    assert (template.draft_title, template.has_draft) == ("One", True)
    assert [one.title for one in TemplateVersion.objects.filter(template=template)] == ["Two", "One"]
    assert story(template) == [
        "olga admin created",
        "olga admin published 1",
        "olga admin draft saved",
        "olga admin published 2",
        "olga admin published again 1",
        "olga admin draft discarded",
        "olga admin withdrawn 1",
    ]


def test_a_draft_that_somebody_else_saved_meanwhile_is_not_overwritten(write, olga, now) -> None:
    template = write(title="One")
    with pytest.raises(Conflict, match="olga has saved another draft"):
        drafts.save(template.pk, Text("Two"), seen_at=None, by=olga, now=now)
    template.refresh_from_db()
    assert template.draft_title == "One"


@pytest.mark.parametrize(
    ("title", "body", "reason"),
    [
        ("", "a", "Title: a message needs a title"),
        ("a\nb", "", "Title: it is one line"),
        ("{{ payload._x }}", "", "underscore"),
        ("a", "b\n{% for %}", "Body, line 2: Write"),
        ("{{ payload.symbol|pairs:'x' }}", "", "it raises AttributeError"),
    ],
)
def test_a_draft_with_errors_is_not_published(write, olga, now, title, body, reason) -> None:
    template = write(title=title, body=body)
    with pytest.raises(NotPublishable) as refusal:
        drafts.publish(template.pk, by=olga, now=now)
    assert any(reason in str(finding) for finding in refusal.value.findings)
    assert not template.versions.exists()


def test_what_is_published_already_is_no_draft(publish, olga, now) -> None:
    with pytest.raises(NotPublishable, match="already"):
        drafts.publish(publish(title="One").template_id, by=olga, now=now)


@pytest.mark.parametrize(
    ("title", "body", "warning"),
    [
        ("{{ symbol }} filled", "", "Title: nothing is called symbol; did you mean payload.symbol?"),
        ("a", "\n{{ payload.symbl }}", "Body: no sample of this type has the field symbl"),
        ("{{ payload.symbol }}", "", "without any field: its title is empty"),
    ],
)
def test_what_may_be_a_mistake_is_a_warning(title, body, warning) -> None:
    template = MessageTemplate(event_type="ORDER_FILLED", draft_title=title, draft_body=body)
    found = findings(template)
    assert [finding.level for finding in found] == ["warning"]
    assert warning in str(found[0])


def test_the_names_of_loops_and_of_with_are_known() -> None:
    body = "{% for leg in payload.symbol %}{{ leg.a }}{% endfor %}{% with b=name %}{{ b }}{% endwith %}"
    assert findings(MessageTemplate(event_type="ORDER_FILLED", draft_title="a", draft_body=body)) == []


@pytest.mark.parametrize("language", ["en", "de", "zh"])
def test_every_shipped_wording_is_a_first_draft_that_says_the_same(publish, language) -> None:
    """One language: each file can be published as it is, and no message changes."""
    from gateway.web.samples import SAMPLES

    cases = [(name, channel) for name in SAMPLES for channel in SHOWN]
    before = {case: rendered(case[0], channel=case[1], locale=language) for case in cases}
    for name in SAMPLES:
        first = drafts.shipped_text(MessageTemplate(event_type=name, locale=language))
        publish(name, first.title, first.body, locale=language)
    for (name, channel), message in before.items():
        stored = rendered(name, channel=channel, locale=language)
        assert stored.template_version is not None
        assert (stored.title, stored.text, stored.html) == (message.title, message.text, message.html)


SHOWN = [Channel.WEB, Channel.TELEGRAM, Channel.EMAIL]


def test_a_channel_begins_with_its_own_shipped_wording() -> None:
    assert "fields" in drafts.shipped_text(MessageTemplate(event_type="some.type")).body
    mail = MessageTemplate(event_type="some.type", channel=Channel.EMAIL)
    assert drafts.shipped_text(mail) == Text("{{ name }}")
    assert shipped.stem_of("some.type") == "some_type"
