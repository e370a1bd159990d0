"""The field `content` of an event: the producer's own words, checked alike in both encodings."""

from collections.abc import Mapping
from typing import Any

from gateway.codec import limits
from gateway.codec.limits import InvalidEvent, check_text
from gateway.codec.schema import Kind
from notifications.words import Action, ActionKind, Words
from proto.tocsin.v1 import user_events_pb2 as wire

_TEXTS = {"title": 1_000, "body": limits.STRING_BYTES, "url": 2_048, "image": 2_048}  # bytes
_LABEL_BYTES = 200
_ACTIONS = 5

_KINDS: dict[Any, ActionKind] = {"": ActionKind.LINK, None: ActionKind.LINK}
_KINDS |= {kind.value: kind for kind in ActionKind}
_KINDS |= {f"ACTION_KIND_{kind.name}": kind for kind in ActionKind}
_KINDS |= {wire.ActionKind.Value(f"ACTION_KIND_{kind.name}"): kind for kind in ActionKind}
_KINDS |= {"ACTION_KIND_UNSPECIFIED": ActionKind.LINK, wire.ACTION_KIND_UNSPECIFIED: ActionKind.LINK}


def _check_content(value: Any, field: str) -> Words | None:
    """Return the words; None if there are none. A URL that must not become a link is no fault."""
    _check_names(value, {*_TEXTS, "actions"}, field)
    texts = {name: _text(value, name, field, longest) for name, longest in _TEXTS.items()}
    actions = [] if value.get("actions") is None else value["actions"]
    if not isinstance(actions, list) or len(actions) > _ACTIONS:
        raise InvalidEvent(
            "invalid_content", f"Send a list of at most {_ACTIONS} actions.", f"{field}.actions"
        )
    checked = tuple([_action(item, f"{field}.actions[{index}]") for index, item in enumerate(actions)])
    return Words(**texts, actions=checked) or None


def _action(value: Any, field: str) -> Action:
    _check_names(value, {"label", "url", "kind"}, field)
    label = _text(value, "label", field, _LABEL_BYTES)
    url = _text(value, "url", field, _TEXTS["url"])
    kind = value.get("kind")
    if isinstance(kind, bool | list | dict) or kind not in _KINDS:
        raise InvalidEvent("unknown_value", "Send link or acknowledge.", f"{field}.kind")
    action = Action(label, url, _KINDS[kind])
    if not label.strip():
        raise InvalidEvent("invalid_content", "Send the text of the button.", f"{field}.label")
    if action.is_acknowledge == bool(url):
        detail = "Send what the link opens; an action of kind acknowledge opens nothing."
        raise InvalidEvent("invalid_content", detail, f"{field}.url")
    return action


def _check_names(value: Any, names: set[str], field: str) -> None:
    if not isinstance(value, Mapping) or value.keys() - names:
        known = ", ".join(sorted(names))
        raise InvalidEvent("invalid_content", f"Send an object with only {known}.", field)


def _text(value: Mapping[str, Any], name: str, field: str, longest: int) -> str:
    text = value.get(name)
    if text is None:
        return ""
    if not isinstance(text, str):
        raise InvalidEvent("not_a_string", "Send a string.", f"{field}.{name}")
    return check_text(text, f"{field}.{name}", longest=longest)


def as_json(content: wire.Content) -> dict[str, Any]:
    """Return the content as a JSON event has it, without the kinds of action of a newer schema."""
    return {
        **{name: getattr(content, name) for name in _TEXTS},
        "actions": [
            {"label": action.label, "url": action.url, "kind": action.kind}
            for action in content.actions
            if action.kind in _KINDS
        ],
    }


def _text_schema(longest: int) -> dict[str, Any]:
    return {"type": "string", "maxLength": longest}


CONTENT = Kind(
    _check_content,
    {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            **{name: _text_schema(longest) for name, longest in _TEXTS.items()},
            "actions": {
                "type": "array",
                "maxItems": _ACTIONS,
                "items": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["label"],
                    "properties": {
                        "label": _text_schema(_LABEL_BYTES),
                        "url": _text_schema(_TEXTS["url"]),
                        "kind": {
                            "enum": [kind.value for kind in ActionKind],
                            "default": ActionKind.LINK.value,
                        },
                    },
                },
            },
        },
    },
    lambda: None,
)
