"""The WebSocket edge: one consumer a socket. It translates frames; the domain decides.

Frames and close codes are documented in docs/websocket.md.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from secrets import token_hex
from typing import Any, ClassVar

from channels.generic.websocket import AsyncWebsocketConsumer
from django.utils import timezone

from gateway import client_frames, flow
from gateway.auth import AuthFailed, person_of_token
from gateway.client_frames import AUTH_BYTES, FRAME_BYTES, Frame, FrameRefused
from gateway.confirmations import Overloaded, confirmations
from gateway.credit import Window
from gateway.database import in_thread
from gateway.origin import origin_allowed
from gateway.outbox import Outbox
from gateway.problems import DATABASE_AWAY
from gateway.resync import resync
from gateway.sessions import hub
from gateway.writer import Writer
from notifications import acks, catchup, dispatch, inbox, knobs, live
from notifications.catchup import Missed
from notifications.store import UnknownEvent
from users.models import User

log = logging.getLogger(__name__)

CLOSE_AUTH = 4001  # authentication failed, or did not come in time
CLOSE_ORIGIN = 4003  # this page may not connect
CLOSE_SLOW = 4008  # it confirms nothing, or takes nothing
CLOSE_UNAVAILABLE = 4013  # the database is away; of the standard codes Daphne's protocol lets us send none
_STORED_WITHIN_S = 2.0  # a pong waits no longer for what was confirmed before its ping


class SessionConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    """`/ws`: a page with a browser session, or a token in its first frame. The Origin is checked."""

    check_origin = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._person: User | None = None
        self._live = AsyncExitStack()
        self._auth_timer: asyncio.TimerHandle | None = None
        self.socket_id = token_hex(6)
        self._ready = False
        self._closing: asyncio.Task[None] | None = None
        self._epoch = ""
        self._stored: asyncio.Future[None] | None = None  # the last of what this socket has confirmed
        settings = knobs.current()
        self._writer = Writer(self.send)
        self._outbox = Outbox(
            self._writer,
            Window(settings.window_frames, settings.window_bytes),
            read=self._read_missed,
            slow=self._too_slow,
            slow_after_s=settings.slow_close_s,
        )
        self._writer.on_empty = self._outbox.written

    async def __call__(self, *args: Any) -> None:
        """Run the socket. However it ends, also by an error in a handler, the person's presence ends too."""
        try:
            await super().__call__(*args)
        finally:
            await self._leave()

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Without Channels' visit to the thread pool for each frame: our threads clean up by themselves."""
        handlers = {
            "websocket.connect": self.websocket_connect,
            "websocket.receive": self.websocket_receive,
            "websocket.disconnect": self.websocket_disconnect,
        }
        await handlers[message["type"]](message)

    async def connect(self) -> None:
        await self.accept()
        if (control := flow.of(self.scope)) is not None:
            control.follow(self._outbox)
        if self.check_origin and not origin_allowed(self.scope):
            await self.close(CLOSE_ORIGIN)
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

    async def disconnect(self, code: int) -> None:
        await self._leave()

    async def _leave(self) -> None:
        if self._auth_timer is not None:
            self._auth_timer.cancel()
        self._outbox.close()
        self._writer.close()
        await self._live.aclose()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        try:
            frame = client_frames.parsed(text_data, AUTH_BYTES if self._person is None else FRAME_BYTES)
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
            person = await in_thread(person_of_token, frame["token"])
        except AuthFailed as failed:
            raise FrameRefused(failed.code, failed.detail) from failed
        await self._start(person, frame)

    async def _start(self, person: User, frame: Frame | None = None) -> None:
        """Subscribe first and look second, so that no event falls between."""
        if self._auth_timer is not None:
            self._auth_timer.cancel()
        self._person = person
        await self._live.enter_async_context(
            hub().listening(live.user_channel(person.pk), self._receive_live)
        )
        hub().on_return = resync().hurry
        await self._begin(person, client_frames.asked_resume(frame, self.scope["query_string"]))
        self._live.enter_context(resync().watching(person.pk, self._look))
        self._ready = True

    async def _begin(self, person: User, asked: object) -> None:
        """Say `ready`, and hand over to the outbox what the client has missed."""
        resume, refused = None, None
        try:
            resume = None if asked is None else client_frames.checked_resume(asked)
        except FrameRefused as error:
            refused = error
        beginning = await in_thread(
            catchup.begin, person.pk, resume, wanted=asked is not None, time_zone=person.time_zone
        )
        position, recovered = beginning.position, beginning.recovered
        self._epoch = position.epoch
        await self._say(
            "ready", seq=position.seq, epoch=position.epoch, recovered=recovered, unread=position.unread
        )
        if refused is not None:
            await self._say("error", code=refused.code, detail=refused.detail)
        if beginning.items is not None:
            await self._say("snapshot", items=beginning.items)
        self._outbox.start(after=beginning.after, known=position.seq, resumed=recovered)

    def _receive_live(self, message: bytes) -> None:
        """Called by the hub for every frame of this person."""
        frame = live.addressed(message, self.socket_id)
        if frame is not None:
            self._outbox.receive(frame)

    async def _read_missed(self, after: int, limit: int) -> Missed:
        assert self._person is not None
        return await in_thread(
            catchup.missed, self._person.pk, after=after, limit=limit, time_zone=self._person.time_zone
        )

    def _look(self, seq: int, epoch: str) -> None:
        if epoch == self._epoch:
            self._outbox.look(seq)
        else:  # the sequence began anew: the client has to hear of that in a `ready`
            self._close_soon(CLOSE_UNAVAILABLE)

    def _too_slow(self) -> None:
        log.info("socket_too_slow")
        self._close_soon(CLOSE_SLOW)

    def _close_soon(self, code: int) -> None:
        self._closing = asyncio.get_running_loop().create_task(self.close(code))

    def _auth_overdue(self) -> None:
        self._close_soon(CLOSE_AUTH)

    async def _handle(self, frame: Frame) -> None:
        handler = self._handlers.get(frame["type"])
        if handler is None:
            raise FrameRefused("unknown_type", f"Known are {', '.join(self._handlers)}.")
        await handler(self, frame)

    async def _on_ack(self, frame: Frame) -> None:
        """Take confirmations; they are stored together with those of other sockets."""
        assert self._person is not None
        ids = client_frames.event_ids(frame)
        try:
            self._stored = confirmations().add(self._person.pk, ids, self.socket_id)
        except Overloaded as error:
            raise FrameRefused("unavailable", "Confirm these again in a few seconds.") from error
        self._outbox.confirmed(ids)

    async def _on_acknowledge(self, frame: Frame) -> None:
        """Take the person's own word, and tell all their sockets."""
        assert self._person is not None
        person_id, event_id = self._person.pk, client_frames.event_id(frame)

        def acknowledge() -> None:
            dispatch.follow_later(acks.acknowledge(person_id, event_id, now=timezone.now()))
            live.push([(person_id, live.frame("event.acknowledged", event_ids=[event_id]))])

        try:
            await in_thread(acknowledge)
        except UnknownEvent as error:
            raise FrameRefused("unknown_event", "This person has no such event.") from error
        self._outbox.confirmed([event_id])

    async def _on_mark(self, frame: Frame) -> None:
        """Take seen, read and archive, and mirror them to the person's other sockets."""
        assert self._person is not None
        person_id, what, ids = self._person.pk, str(frame["type"]), client_frames.event_ids(frame)

        def mark() -> None:
            changed = inbox.mark(person_id, ids, what, now=timezone.now())
            if changed:
                name = "event.archived" if what == "archive" else f"event.{what}"
                live.push([(person_id, live.frame(name, event_ids=changed))])

        await in_thread(mark)

    async def _on_ping(self, frame: Frame) -> None:
        """Answer when what was confirmed before is stored, or without it while the database is away."""
        if self._stored is not None:
            await asyncio.wait({self._stored}, timeout=_STORED_WITHIN_S)
        self._outbox.alive()
        await self._say("pong")

    async def _on_auth(self, frame: Frame) -> None:
        raise FrameRefused("already_authenticated", "This socket belongs to a person already.")

    # Explicit: what a client sends is never taken for a method's name.
    _handlers: ClassVar[dict[str, Callable[["SessionConsumer", Frame], Awaitable[None]]]] = {
        "ack": _on_ack,
        "acknowledge": _on_acknowledge,
        "seen": _on_mark,
        "read": _on_mark,
        "archive": _on_mark,
        "ping": _on_ping,
        "auth": _on_auth,
    }

    async def _say(self, kind: str, **fields: object) -> None:
        self._writer.write(live.frame(kind, **fields))
        await self._writer.drained()  # a close that follows must not overtake it


class NativeConsumer(SessionConsumer):
    """`/ws/native`: for clients without a browser. A token only; cookies and Origin do not count."""

    check_origin = False
