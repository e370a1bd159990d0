"""The WebSocket edge: one consumer a socket. It translates frames; the domain decides.

Frames and close codes are documented in docs/websocket.md.
"""

import asyncio
import json
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, ClassVar
from urllib.parse import urlsplit

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.http.request import split_domain_port, validate_host
from django.utils import timezone

from gateway import exchange
from gateway.auth import AuthFailed, person_of_token
from gateway.limits import Malformed, check_text
from gateway.problems import DATABASE_AWAY
from gateway.sessions import hub
from gateway.topics import TopicFeed
from notifications import acks, dispatch, inbox, knobs, live
from users.models import User

log = logging.getLogger(__name__)

CLOSE_AUTH = 4001  # authentication failed, or did not come in time
CLOSE_ORIGIN = 4003  # this page may not connect
CLOSE_SUBPROTOCOL = 4010  # none of the offered sub-protocols is known
CLOSE_UNAVAILABLE = 4013  # the database is away; of the standard codes Daphne's protocol lets us send none
AUTH_BYTES = 4 * 1024
FRAME_BYTES = 64 * 1024
IDS_AT_MOST = 500
TOPICS_AT_MOST = 100

Frame = dict[str, Any]


class FrameRefused(Exception):
    """A frame that is not understood. The socket stays open."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail


class SessionConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    """`/ws`: a page with a browser session, or a token in its first frame. The Origin is checked."""

    check_origin = True
    channel_layer_alias = ""  # none: the hub feeds this socket, and a layer would subscribe once more

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._person: User | None = None
        self._live = AsyncExitStack()
        self._auth_timer: asyncio.TimerHandle | None = None
        self._outbox: deque[bytes] = deque()  # one writer empties it, so that order is kept
        self._writer: asyncio.Task[None] | None = None
        self._ready = False
        self._closing: asyncio.Task[None] | None = None
        self._topics: TopicFeed | None = None
        self._looking: asyncio.Task[None] | None = None
        self._subprotocol: str | None = None

    async def __call__(self, *args: Any) -> None:
        """Run the socket. However it ends, also by an error in a handler, the person's presence ends too."""
        try:
            await super().__call__(*args)
        finally:
            await self._leave()

    async def connect(self) -> None:
        if not await self._accept():
            return
        user = self.scope.get("user") if self.check_origin else None
        if isinstance(user, User) and user.is_active:
            try:
                await self._start(user)
            except DATABASE_AWAY:
                await self._unavailable()
        else:
            within_s = knobs.current().auth_within_s
            self._auth_timer = asyncio.get_running_loop().call_later(within_s, self._auth_overdue)

    async def _accept(self) -> bool:
        """Complete the handshake, and close again what may not go on: accepted, so that a page sees why."""
        try:
            self._subprotocol = exchange.chosen(self.scope["subprotocols"])
        except exchange.UnknownSubprotocol:
            await self.accept()
            detail = f"Known is {exchange.SUBPROTOCOL}; or offer none."
            await self._say("error", code="unknown_subprotocol", detail=detail)
            await self.close(CLOSE_SUBPROTOCOL)
            return False
        await self.accept(self._subprotocol)
        if self.check_origin and not _origin_allowed(self.scope):
            await self.close(CLOSE_ORIGIN)
            return False
        return True

    async def send(
        self, text_data: str | None = None, bytes_data: bytes | None = None, close: bool = False
    ) -> None:
        """Send a frame, in the words of the sub-protocol if the client speaks one."""
        if self._subprotocol is not None and text_data is not None:
            text_data = exchange.translated(text_data)
            if text_data is None:
                return
        await super().send(text_data, bytes_data, close)

    async def disconnect(self, code: int) -> None:
        await self._leave()

    async def _leave(self) -> None:
        if self._auth_timer is not None:
            self._auth_timer.cancel()
        await self._live.aclose()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        try:
            frame = _parsed(text_data, AUTH_BYTES if self._person is None else FRAME_BYTES)
            if self._person is None:
                await self._authenticate(frame)
            else:
                await self._handle(frame)
        except FrameRefused as refused:
            await self._say("error", code=refused.code, detail=refused.detail)
            if self._person is None:
                await self.close(CLOSE_AUTH)
        except DATABASE_AWAY:
            await self._unavailable()

    async def _unavailable(self) -> None:
        """Say that the database is away. A socket that is not `ready` yet has to come again."""
        log.exception("frame_failed")
        await self._say("error", code="unavailable", detail="Try again in a few seconds.")
        if not self._ready:
            await self.close(CLOSE_UNAVAILABLE)

    async def _authenticate(self, frame: Frame) -> None:
        if frame["type"] != "auth" or not isinstance(frame.get("token"), str):
            raise FrameRefused("auth_required", "The first frame must be auth with a token.")
        try:
            person = await database_sync_to_async(person_of_token)(frame["token"])
        except AuthFailed as failed:
            raise FrameRefused(failed.code, failed.detail) from failed
        await self._start(person)

    async def _start(self, person: User) -> None:
        """Subscribe first and look second, so that no event falls between."""
        if self._auth_timer is not None:
            self._auth_timer.cancel()
        self._person = person
        await self._live.enter_async_context(
            hub().listening(live.user_channel(person.pk), self._receive_live)
        )
        self._topics = TopicFeed(person.pk, self._receive_live)
        self._live.push_async_callback(self._topics.leave)
        await self._topics.look()
        position = await database_sync_to_async(inbox.position)(person.pk)
        await self._say(
            "ready", seq=position.seq, epoch=position.epoch, recovered=False, unread=position.unread
        )
        self._ready = True
        self._write_soon()

    def _receive_live(self, frame: bytes) -> None:
        """Called by the hub for every frame of this person and of their topics."""
        if frame == live.TOPICS_CHANGED:
            self._look_at_topics()
            return
        self._outbox.append(frame)
        self._write_soon()

    def _write_soon(self) -> None:
        """Start the writer, unless it runs or `ready` has not been sent yet."""
        if self._ready and self._outbox and self._writer is None:
            self._writer = asyncio.get_running_loop().create_task(self._write())

    async def _write(self) -> None:
        try:
            while self._outbox:
                await self.send(text_data=self._outbox.popleft().decode())
        finally:
            self._writer = None

    def _auth_overdue(self) -> None:
        self._closing = asyncio.get_running_loop().create_task(self.close(CLOSE_AUTH))

    async def _handle(self, frame: Frame) -> None:
        handler = self._handlers.get(frame["type"])
        if handler is None:
            raise FrameRefused("unknown_type", f"Known are {', '.join(self._handlers)}.")
        await handler(self, frame)

    async def _on_ack(self, frame: Frame) -> None:
        assert self._person is not None
        pairs = [(self._person.pk, event_id) for event_id in _event_ids(frame)]
        dispatch.follow_later(await database_sync_to_async(acks.confirm)(pairs, now=timezone.now()))

    async def _on_mark(self, frame: Frame) -> None:
        """Take seen, read and archive, and mirror them to the person's other sockets."""
        assert self._person is not None
        person_id, what = self._person.pk, str(frame["type"])

        def mark() -> None:
            changed = inbox.mark(person_id, _event_ids(frame), what, now=timezone.now())
            if changed:
                name = "event.archived" if what == "archive" else f"event.{what}"
                live.push([(person_id, live.frame(name, event_ids=changed))])

        await database_sync_to_async(mark)()

    async def _on_topics(self, frame: Frame) -> None:
        """Change what the person follows; all of their sockets do."""
        assert self._topics is not None
        change = self._topics.subscribe if frame["type"] == "subscribe" else self._topics.unsubscribe
        for refused in await change(_topics(frame)):
            await self._say("error", code=refused.code, detail=refused.detail, topic=refused.topic)
        await self._say("subscribed", topics=self._topics.names)

    def _look_at_topics(self) -> None:
        """Look again, behind a look that runs already: it may have begun before the change."""
        before, loop = self._looking, asyncio.get_running_loop()
        self._looking = loop.create_task(self._tell_topics(before))

    async def _tell_topics(self, before: "asyncio.Task[None] | None") -> None:
        if before is not None:
            await asyncio.wait([before])
        try:
            if self._topics is not None and await self._topics.look() and self._ready:
                await self._say("subscribed", topics=self._topics.names)
        except DATABASE_AWAY:
            log.exception("topics_failed")

    async def _on_ping(self, frame: Frame) -> None:
        await self._say("pong")

    async def _on_auth(self, frame: Frame) -> None:
        raise FrameRefused("already_authenticated", "This socket belongs to a person already.")

    # Explicit: what a client sends is never taken for a method's name.
    _handlers: ClassVar[dict[str, Callable[["SessionConsumer", Frame], Awaitable[None]]]] = {
        "ack": _on_ack,
        "seen": _on_mark,
        "read": _on_mark,
        "archive": _on_mark,
        "subscribe": _on_topics,
        "unsubscribe": _on_topics,
        "ping": _on_ping,
        "auth": _on_auth,
    }

    async def _say(self, kind: str, **fields: object) -> None:
        await self.send(text_data=live.frame(kind, **fields).decode())


class NativeConsumer(SessionConsumer):
    """`/ws/native`: for clients without a browser. A token only; cookies and Origin do not count."""

    check_origin = False


def _origin_allowed(scope: dict[str, Any]) -> bool:
    """A browser always sends Origin; without one, or from a strange host, nobody gets in."""
    origin = dict(scope["headers"]).get(b"origin", b"").decode("latin-1")
    trusted = [_host(entry).removeprefix("*") for entry in settings.CSRF_TRUSTED_ORIGINS]
    host = _host(origin)
    return bool(host) and validate_host(host, [*settings.ALLOWED_HOSTS, *trusted])


def _host(origin: str) -> str:
    """Return the host as `ALLOWED_HOSTS` writes it, without the port; "" for what is not an origin."""
    try:
        netloc = urlsplit(origin).netloc
    except ValueError:
        return ""
    return netloc if netloc.startswith("*") else split_domain_port(netloc)[0]


def _parsed(text: str | None, longest: int) -> Frame:
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


def _event_ids(frame: Frame) -> list[str]:
    ids = frame.get("event_ids")
    if not isinstance(ids, list) or not 0 < len(ids) <= IDS_AT_MOST or not all(map(_is_id, ids)):
        raise FrameRefused("invalid_event_ids", f"event_ids is a list of 1 to {IDS_AT_MOST} ids.")
    return list(dict.fromkeys(ids))


def _topics(frame: Frame) -> list[str]:
    names = frame.get("topics")
    right = isinstance(names, list) and all(isinstance(name, str) for name in names)
    if not right or not 0 < len(names or []) <= TOPICS_AT_MOST:
        raise FrameRefused("invalid_topic", f"topics is a list of 1 to {TOPICS_AT_MOST} names.")
    return list(names or [])


def _is_id(value: object) -> bool:
    """Return whether `value` may be an event id: what the codec takes in, a page can confirm."""
    if not isinstance(value, str) or not value:
        return False
    try:
        check_text(value, "event_ids", longest=200)
    except Malformed:
        return False
    return True
