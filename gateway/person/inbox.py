"""The inbox, and the story of one event in it."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, QueryDict

from gateway.person.refusals import Refused
from gateway.person.shell import Values, page, shown
from gateway.web.pages import page as demo_page
from notifications import acks, dispatch, store
from notifications.events import EventRef, EventSeq
from notifications.live import pubsub
from notifications.live.frames import changed_frames
from notifications.live.inbox_search import Found, Shown, Wanted, marked_item, search
from notifications.models import Event
from notifications.operations.timeline import timeline
from notifications.rendering.locales import gettext, ngettext
from notifications.routing.stored_rules import read_policy
from notifications.states import Channel
from notifications.wishes import Policy
from runtime.postgres import clock
from users.models import EventGroup, User

_PAGE = 30
_MOST = 300  # that a page keeps up to date in place
_MARKED_AT_ONCE = 1_000
_LONGEST_TEXT = 100
_LAST_SEQ = 2**63 - 1


# --- the list -------------------------------------------------------------------------------------------
def _read(request: HttpRequest, person: User) -> Values:
    asked, policy = request.GET, read_policy()
    wanted = _wanted(asked, policy)
    before = _number(asked, "before", _LAST_SEQ)
    limit = min(_number(asked, "count", _LAST_SEQ) or _PAGE, _MOST)
    found = search(person, wanted, before=before, limit=limit)
    return {
        "items": found.items,
        "older": _older(asked, found),
        "wanted": wanted,
        "tabs": _tabs(asked, wanted),
        "groups": EventGroup.objects.all(),
        "is_search": bool(wanted.text or wanted.group or wanted.shown),
    }


def _wanted(asked: QueryDict, policy: Policy) -> Wanted:
    mark = asked.get("show", "")
    return Wanted(
        Shown(mark) if mark in set(Shown) else Shown.ALL,
        next((group for group in policy.groups if group.name == asked.get("group")), None),
        policy,
        asked.get("text", "").strip()[:_LONGEST_TEXT],
    )


def _number(asked: QueryDict, name: str, most: int) -> int | None:
    text = asked.get(name, "")
    return min(int(text), most) if text.isdecimal() and len(text) < 20 and int(text) else None


def _older(asked: QueryDict, found: Found) -> str:
    return "" if found.next_before is None else _link(asked, before=str(found.next_before), count="")


def _tabs(asked: QueryDict, wanted: Wanted) -> list[Values]:
    names = (
        (Shown.ALL, gettext("Inbox")),
        (Shown.UNREAD, gettext("Unread")),
        (Shown.ARCHIVED, gettext("Archive")),
    )
    return [
        {
            "label": label,
            "url": _link(asked, show=mark, before="", count=""),
            "is_here": mark is wanted.shown,
        }
        for mark, label in names
    ]


def _link(asked: QueryDict, **changed: str) -> str:
    """Return the URL of the page with other parameters; "" removes one."""
    given = asked.copy()
    for name, value in changed.items():
        given.pop(name, None)
        if value:
            given[name] = value
    return f"?{given.urlencode()}" if given else "?"


# --- what a person does with an event -------------------------------------------------------------------
def _ref(person: User, form: QueryDict) -> EventRef:
    seq = _number(form, "seq", _LAST_SEQ)
    if seq is None:
        raise Refused(gettext("This page is out of date: load it again."))
    return EventSeq(seq, str(store.inbox.cursor_of(person.pk).epoch))


def _mark(person: User, refs: list[EventRef], what: str) -> int:
    """Mark events, as the frames `read` and `archive` do, and tell every page of the person."""
    changes = store.inbox.mark(person.pk, refs, what, now=clock.now())
    kind = "event.archived" if what == "archive" else f"event.{what}"
    pubsub.push(changed_frames(kind, changes))
    return len(changes)


def _read_one(person: User, form: QueryDict) -> str:
    _mark(person, [_ref(person, form)], "read")
    return ""


def _archive_one(person: User, form: QueryDict) -> str:
    _mark(person, [_ref(person, form)], "archive")
    return gettext("Archived.")


def _read_all(person: User, form: QueryDict) -> str:
    """Mark what was there when the page was made: what came since, the person has not seen."""
    newest = _number(form, "newest", _LAST_SEQ) or 0
    unread = Event.objects.filter(
        person=person, read_at__isnull=True, archived_at__isnull=True, seq__lte=newest
    )
    epoch, count = str(store.inbox.cursor_of(person.pk).epoch), 0
    while seqs := list(unread.order_by("-seq").values_list("seq", flat=True)[:_MARKED_AT_ONCE]):
        marked = _mark(person, [EventSeq(seq, epoch) for seq in seqs], "read")
        count += marked
        if not marked:
            break
    return ngettext("%(count)d message marked as read.", "%(count)d messages marked as read.", count) % {
        "count": count
    }


def _acknowledge(person: User, form: QueryDict) -> str:
    try:
        effects = acks.acknowledge(person.pk, _ref(person, form), now=clock.now())
    except (store.UnknownEvent, store.AmbiguousEvent):
        raise Refused(gettext("It is not there any more.")) from None
    dispatch.run_effects_later(effects)
    pubsub.push(changed_frames("event.acknowledged", effects.confirmed))
    return gettext("Acknowledged: the sender knows that you have it.")


_ACTIONS = {"read": _read_one, "archive": _archive_one, "acknowledge": _acknowledge}
inbox = page("inbox", _read, _ACTIONS | {"read_all": _read_all})


# --- one event ------------------------------------------------------------------------------------------
def _read_story(request: HttpRequest, person: User, seq: int) -> Values | HttpResponse:
    found = Event.objects.filter(person=person, seq=min(seq, _LAST_SEQ)).select_related("source")
    event = found.prefetch_related("deliveries__tries", "deliveries__template_version__template").first()
    if event is None:
        gone = shown(request, person, "gone", {})
        gone.status_code = 404
        return gone
    via: Any = event.delivered_via
    return {
        "item": marked_item(event, person),
        "steps": timeline(event, event.deliveries.all()),
        "is_final": event.final_at is not None,
        "via": None if via is None else Channel(via),
        "reason": "; ".join(
            f"{channel.name}: {why}" for channel, why in acks.reasons(event, event.deliveries.all())
        ),
    }


story = page("story", _read_story, _ACTIONS)


def home(request: HttpRequest) -> HttpResponse:
    """Serve the demo's page where the demo is on, else the inbox."""
    return demo_page(request) if settings.TOCSIN_DEMO else inbox(request)
