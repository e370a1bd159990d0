"""The field `content`: the same words in both encodings, within limits."""

from typing import Any

import pytest

from gateway.codec import events
from gateway.codec.limits import InvalidEvent
from notifications.words import Action, ActionKind, Words
from proto.tocsin.v1 import user_events_pb2 as wire
from tests.gateway.good_events import GRANT, event_json, event_message

AT = {"event_id": "e-1", "timestamp": 1_734_533_790_000}
FULL: dict[str, Any] = {
    "title": "Order filled",
    "body": "**0.5 BTC** at 64,250",
    "url": "https://docs.example.com/o/1",
    "image": "https://docs.example.com/o/1.png",
    "actions": [
        {"label": "Sell", "url": "https://docs.example.com/sell"},
        {"label": "Got it", "kind": "acknowledge"},
    ],
}
IN_PROTOBUF = FULL | {
    "actions": [
        {"label": "Sell", "url": "https://docs.example.com/sell", "kind": "ACTION_KIND_LINK"},
        {"label": "Got it", "kind": "ACTION_KIND_ACKNOWLEDGE"},
    ]
}
WORDS = Words(
    FULL["title"],
    FULL["body"],
    FULL["url"],
    FULL["image"],
    (Action("Sell", "https://docs.example.com/sell"), Action("Got it", kind=ActionKind.ACKNOWLEDGE)),
)


def in_json(content: object) -> Words | None:
    return events.from_json(event_json(content=content), GRANT).words


def test_json_and_protobuf_give_the_same_words_and_the_same_digest() -> None:
    by_json = events.from_json(event_json(content=FULL, **AT), GRANT)
    by_protobuf = events.from_message(event_message(content=IN_PROTOBUF, **AT), GRANT)

    assert by_json.words == by_protobuf.words == WORDS
    assert by_json.digest == by_protobuf.digest


def test_other_words_are_another_event() -> None:
    digests = {
        events.from_json(event_json(content=content, **AT), GRANT).digest
        for content in (None, {"title": "a"}, {"body": "a"}, {"url": "a"}, {"actions": FULL["actions"]})
    }

    assert len(digests) == 5


@pytest.mark.parametrize("content", [None, {}, {"title": "", "actions": []}, {"body": None, "actions": None}])
def test_content_that_says_nothing_is_none(content: object) -> None:
    envelope = events.from_json(event_json(content=content, **AT), GRANT)

    assert envelope.words is None
    assert envelope.digest == events.from_json(event_json(**AT), GRANT).digest
    assert envelope.digest == events.from_message(event_message(content=wire.Content(), **AT), GRANT).digest


@pytest.mark.parametrize(
    "kind", [None, "", "link", "ACTION_KIND_LINK", "ACTION_KIND_UNSPECIFIED", 0, 1], ids=repr
)
def test_an_action_with_an_url_is_a_link(kind: object) -> None:
    words = in_json({"actions": [{"label": "Go", "url": "https://a.example", "kind": kind}]})

    assert words == Words(actions=(Action("Go", "https://a.example"),))


def test_an_action_of_a_newer_schema_is_left_out() -> None:
    action = wire.ContentAction(label="Call", url="https://a.example")
    action.kind = 9
    content = wire.Content(
        title="T", actions=[action, wire.ContentAction(label="Go", url="https://a.example")]
    )

    assert events.from_message(event_message(content=content), GRANT).words == Words(
        "T", actions=(Action("Go", "https://a.example"),)
    )


def test_an_url_that_must_not_become_a_link_is_no_fault() -> None:
    assert in_json({"url": "javascript:alert(1)"}) == Words(url="javascript:alert(1)")


LINK = {"label": "Go", "url": "https://a.example"}


@pytest.mark.parametrize(
    ("content", "code", "field"),
    [
        ("words", "invalid_content", "content"),
        ([], "invalid_content", "content"),
        ({"headline": "x"}, "invalid_content", "content"),
        ({"title": 5}, "not_a_string", "content.title"),
        ({"title": "ü" * 501}, "too_long", "content.title"),
        ({"title": "a\0"}, "invalid_text", "content.title"),
        ({"body": "a" * 16_385}, "too_long", "content.body"),
        ({"body": "\ud800"}, "invalid_text", "content.body"),
        ({"url": "https://a.example/" + "a" * 2_048}, "too_long", "content.url"),
        ({"image": {}}, "not_a_string", "content.image"),
        ({"actions": {}}, "invalid_content", "content.actions"),
        ({"actions": "go"}, "invalid_content", "content.actions"),
        ({"actions": [LINK] * 6}, "invalid_content", "content.actions"),
        ({"actions": [LINK, "go"]}, "invalid_content", "content.actions[1]"),
        ({"actions": [LINK | {"style": "x"}]}, "invalid_content", "content.actions[0]"),
        ({"actions": [{"url": "https://a.example"}]}, "invalid_content", "content.actions[0].label"),
        ({"actions": [LINK | {"label": " "}]}, "invalid_content", "content.actions[0].label"),
        ({"actions": [LINK | {"label": "a" * 201}]}, "too_long", "content.actions[0].label"),
        ({"actions": [{"label": "Go"}]}, "invalid_content", "content.actions[0].url"),
        ({"actions": [LINK | {"kind": "acknowledge"}]}, "invalid_content", "content.actions[0].url"),
        ({"actions": [LINK | {"kind": "call"}]}, "unknown_value", "content.actions[0].kind"),
        ({"actions": [LINK | {"kind": 9}]}, "unknown_value", "content.actions[0].kind"),
        ({"actions": [LINK | {"kind": True}]}, "unknown_value", "content.actions[0].kind"),
        ({"actions": [LINK | {"kind": []}]}, "unknown_value", "content.actions[0].kind"),
    ],
)
def test_content_out_of_its_limits_is_refused_with_its_field(content: object, code: str, field: str) -> None:
    with pytest.raises(InvalidEvent) as refused:
        in_json(content)

    assert (refused.value.code, refused.value.field) == (code, field)
    assert refused.value.detail


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (wire.Content(title="a" * 1_001), "content.title"),
        (wire.Content(actions=[wire.ContentAction(label="Go")]), "content.actions[0].url"),
        (wire.Content(actions=[wire.ContentAction(label="Go", url="x")] * 6), "content.actions"),
    ],
)
def test_protobuf_has_the_same_limits(content: wire.Content, field: str) -> None:
    with pytest.raises(InvalidEvent) as refused:
        events.from_message(event_message(content=content), GRANT)

    assert refused.value.field == field
