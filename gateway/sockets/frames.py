"""Reading what a client sends: each piece is checked here, or refused with a code and what to do."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from gateway.codec.limits import InvalidEvent, check_text
from notifications.events import EventName, EventRef, EventSeq
from notifications.live.recovery import Resume

AUTH_BYTES = 4 * 1024
FRAME_BYTES = 64 * 1024
IDS_AT_MOST = 500
TOPICS_AT_MOST = 100
ITEMS_AT_MOST = 50
_SEQ_END = 2**63
_EPOCH_LONGEST = 64

Frame = dict[str, Any]


class FrameRefused(Exception):
    """A frame that is not understood. The socket stays open."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail


def parsed(text: str | None, longest: int) -> Frame:
    """Return the frame of a message of at most `longest` bytes. Raises: `FrameRefused`."""
    if text is None:
        raise FrameRefused("not_text", "Send JSON text frames.")
    if len(text.encode(errors="replace")) > longest:
        raise FrameRefused("too_large", f"A frame has at most {longest} bytes.")
    try:
        frame = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FrameRefused("invalid_json", "Send one JSON object a frame.") from error
    if not isinstance(frame, dict) or not isinstance(frame.get("type"), str):
        raise FrameRefused("missing_type", "A frame is an object with a type.")
    return frame


def event_refs(frame: Frame, epoch: str) -> list[EventRef]:
    """Return which events the frame names, each once: by `seqs` of `epoch`, or by `event_ids` and `source`.

    Raises: `FrameRefused`.
    """
    if "seqs" in frame:
        return [EventSeq(seq, epoch) for seq in _listed(frame["seqs"], _is_seq, "invalid_seqs")]
    ids = _listed(frame.get("event_ids"), _is_id, "invalid_event_ids")
    source = _source(frame)
    return [_named(source, event_id) for event_id in ids]


def event_ref(frame: Frame, epoch: str) -> EventRef:
    """Return which event the frame names: by a `seq` of `epoch`, or by `event_id` and `source`.

    Raises: `FrameRefused`.
    """
    if "seq" in frame:
        if not _is_seq(frame["seq"]):
            raise FrameRefused("invalid_seq", "seq is the number of one event.")
        return EventSeq(frame["seq"], epoch)
    if not _is_id(frame.get("event_id")):
        raise FrameRefused("invalid_event_id", "event_id is the id of one event.")
    return _named(_source(frame), frame["event_id"])


def _listed(given: object, is_valid: Callable[[object], bool], code: str) -> list[Any]:
    if not isinstance(given, list) or not 0 < len(given) <= IDS_AT_MOST or not all(map(is_valid, given)):
        raise FrameRefused(code, f"event_ids and seqs are lists of 1 to {IDS_AT_MOST}.")
    return list(dict.fromkeys(given))


def _source(frame: Frame) -> str | None:
    source = frame.get("source")
    if source is not None and not _is_id(source):
        raise FrameRefused("invalid_source", "source is the name that the event's frame has.")
    return source


def _named(source: str | None, event_id: str) -> EventRef:
    return event_id if source is None else EventName(source, event_id)


def topics(frame: Frame) -> list[str]:
    """Return the frame's `topics`; whether they are names of topics is seen later. Raises: `FrameRefused`."""
    names = frame.get("topics")
    right = isinstance(names, list) and all(isinstance(name, str) for name in names)
    if not right or not 0 < len(names or []) <= TOPICS_AT_MOST:
        raise FrameRefused("invalid_topic", f"topics is a list of 1 to {TOPICS_AT_MOST} names.")
    return list(names or [])


def _is_seq(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < _SEQ_END


def _is_id(value: object) -> bool:
    """Return whether `value` may be an event id: what the codec takes in, a page can confirm."""
    if not isinstance(value, str) or not value:
        return False
    try:
        check_text(value, "event_ids", longest=200)
    except InvalidEvent:
        return False
    return True


def page_wanted(frame: Frame) -> tuple[int | None, int]:
    """Return before which `seq` a page of the inbox ends (None: the newest), and its length.

    Raises: `FrameRefused`.
    """
    before, limit = frame.get("before"), frame.get("limit", 30)
    is_length = isinstance(limit, int) and not isinstance(limit, bool) and 0 < limit <= ITEMS_AT_MOST
    if not is_length or not (before is None or _is_seq(before)):
        raise FrameRefused("invalid_page", f"before is a seq, limit is 1 to {ITEMS_AT_MOST}.")
    return before, limit


def asked_page(frame: Frame | None, query_string: bytes) -> object:
    """Return how many items of the inbox a client wants with `ready`, unchecked; None if it did not ask.

    In the `auth` frame, or in the URL of a page that sends none (`/ws?inbox=30`).
    """
    if frame is not None:
        return frame.get("inbox")
    given = parse_qs(query_string.decode("latin-1"), keep_blank_values=True).get("inbox", [""])[0]
    return int(given) if given.isascii() and given.isdigit() and len(given) < 4 else given or None


def asked_resume(frame: Frame | None, query_string: bytes) -> object:
    """Return what the client gave to resume from, unchecked; None if it did not ask.

    In the `auth` frame, or in the URL of a page that sends none (`/ws?seq=7&epoch=…`).
    """
    if frame is not None and "resume" in frame:
        return frame["resume"]
    given = parse_qs(query_string.decode("latin-1"), keep_blank_values=True)
    if "seq" not in given:
        return None
    seq = given["seq"][0]
    digits = seq.isascii() and seq.isdigit() and len(seq) < 20
    return {"seq": int(seq) if digits else seq, "epoch": given.get("epoch", [""])[0]}


def checked_resume(asked: object) -> Resume:
    """Return where the client stands. Raises: `FrameRefused`."""
    if isinstance(asked, dict):
        seq, epoch = asked.get("seq"), asked.get("epoch")
        counts = isinstance(seq, int) and not isinstance(seq, bool) and 0 <= seq < _SEQ_END
        if counts and isinstance(epoch, str) and len(epoch) <= _EPOCH_LONGEST:
            return Resume(int(seq or 0), epoch)
    raise FrameRefused("invalid_resume", "resume has the seq (0 or more) and the epoch of an earlier ready.")
