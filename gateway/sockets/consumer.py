"""The WebSocket edge: one consumer a socket. It translates frames; the domain decides.

Frames and close codes are documented in docs/websocket.md.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from secrets import token_hex
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer

from gateway.auth import credentials
from gateway.auth.bearer import CLOSE_AUTH, AuthFailed
from gateway.auth.credentials import Credential
from gateway.auth.tickets import TicketsUnavailable
from gateway.hub.hub import hub
from gateway.hub.threads import in_thread
from gateway.presence.admission import CLOSE_TOO_MANY, CLOSE_UNAVAILABLE
from gateway.presence.floods import flood_penalties
from gateway.presence.sockets import TooManySockets
from gateway.server import flow, wire
from gateway.sockets import exchange, frames
from gateway.sockets.devices import device_of
from gateway.sockets.feed import SessionFeed
from gateway.sockets.frames import AUTH_BYTES, FRAME_BYTES, Frame, FrameRefused
from gateway.sockets.handlers import FrameHandlers
from gateway.sockets.identity import Identity, signed_in
from gateway.sockets.origin import origin_allowed
from gateway.sockets.resync import resync
from gateway.sockets.topics import TopicFeed
from gateway.sockets.window import Window
from gateway.sockets.writer import AsgiWriter
from notifications import knobs
from notifications.live import pubsub, recovery
from notifications.live.recovery import Missed
from runtime.postgres.away import DATABASE_AWAY
from users.models import User

log = logging.getLogger(__name__)

CLOSE_ORIGIN = 4003  # this page may not connect
CLOSE_SLOW = 4008  # it confirms nothing, or takes nothing
CLOSE_SUBPROTOCOL = 4010  # none of the offered sub-protocols is known


class SessionConsumer(FrameHandlers, AsyncWebsocketConsumer):  # type: ignore[misc]
    """`/ws`: a page with a browser session, or a token in its first frame. The Origin is checked."""

    check_origin = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._person: User | None = None
        self._identity: Identity | None = None
        self._topics: TopicFeed | None = None
        self._over = False  # closed by us: what still comes in is not looked at
        self._live = AsyncExitStack()
        self._auth_timer: asyncio.TimerHandle | None = None
        self.socket_id = token_hex(6)
        self._ready = False
        self._closing: asyncio.Task[None] | None = None
        self._epoch = ""
        self._stored: asyncio.Future[None] | None = None  # the last of what this socket has confirmed
        settings = knobs.current()
        self._writer = AsgiWriter(self.send)
        self._feed = SessionFeed(
            self._writer,
            Window(settings.window_frames, settings.window_bytes),
            read=self._read_missed,
            slow=self._too_slow,
            slow_after_s=settings.slow_close_s,
        )
        self._writer.on_empty = self._feed.written

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
        self._writer.wire = wire.of(self.scope)
        await self._accept()
        if self._over:
            return
        user = self.scope.get("user") if self.check_origin else None
        if isinstance(user, User) and user.is_active:
            await self._guarded(self._start_by_session(user))
        else:
            within_s = knobs.current().auth_within_s
            self._auth_timer = asyncio.get_running_loop().call_later(within_s, self._auth_overdue)

    async def _accept(self) -> None:
        """Complete the handshake, and close again what may not go on: accepted, so that a page sees why."""
        try:
            subprotocol = exchange.chosen(self.scope["subprotocols"])
        except exchange.UnknownSubprotocol:
            await self.accept()
            detail = f"Known is {exchange.SUBPROTOCOL}; or offer none."
            await self._say("error", code="unknown_subprotocol", detail=detail)
            await self._end(CLOSE_SUBPROTOCOL)
            return
        if subprotocol is not None:
            self._feed.encode = exchange.encode
        await self.accept(subprotocol)
        if (control := flow.of(self.scope)) is not None:
            control.follow(self._feed)
        if self.check_origin and not origin_allowed(self.scope):
            await self._end(CLOSE_ORIGIN)

    async def disconnect(self, code: int) -> None:
        await self._leave()

    async def _leave(self) -> None:
        if self._auth_timer is not None:
            self._auth_timer.cancel()
        self._feed.close()
        self._writer.close()
        await self._live.aclose()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if not self._over:
            await self._guarded(self._take(text_data))

    async def _take(self, text: str | None) -> None:
        frame = frames.parsed(text, AUTH_BYTES if self._person is None else FRAME_BYTES)
        if self._person is None:
            await self._authenticate(frame)
        else:
            await self._handle(frame)

    async def _guarded(self, work: Awaitable[None]) -> None:
        """Do it. What is refused gets an error frame; before the sign-in it ends the socket too."""
        try:
            await work
        except FrameRefused as refused:
            await self._say("error", code=refused.code, detail=refused.detail)
            if self._identity is None:
                await self._end(CLOSE_AUTH)
        except TooManySockets:
            most = knobs.current().sockets_per_person
            await self._say("error", code="too_many_sockets", detail=f"{most} are open already; close one.")
            await self._end(CLOSE_TOO_MANY)
        except (*DATABASE_AWAY, TicketsUnavailable):
            await self._unavailable()

    async def _unavailable(self) -> None:
        """Say that the database (for a ticket: Redis) is away. Before `ready` the client must come again."""
        log.exception("frame_failed")
        await self._say("error", code="unavailable", detail="Try again in a few seconds.")
        if not self._ready:
            await self._end(CLOSE_UNAVAILABLE)

    async def _authenticate(self, frame: Frame) -> None:
        if frame["type"] != "auth":
            raise FrameRefused("auth_required", "The first frame must be auth with a token or a ticket.")
        await self._start(await self._credential(credentials.of_frame, frame), frame)

    async def _start_by_session(self, person: User) -> None:
        session_key = self.scope["session"].session_key
        await self._start(await self._credential(credentials.of_session, person, session_key))

    async def _credential(self, read: Callable[..., Credential], *given: object) -> Credential:
        try:
            return await in_thread(read, *given)
        except AuthFailed as failed:
            raise FrameRefused(failed.code, failed.detail) from failed

    async def _start(self, credential: Credential, frame: Frame | None = None) -> None:
        """Subscribe first and look second, so that no event falls between."""
        if self._auth_timer is not None:
            self._auth_timer.cancel()
        self._person = person = credential.person
        self._identity = await self._live.enter_async_context(
            signed_in(
                credential,
                socket_id=self.socket_id,
                device=device_of(frame, self.scope),
                end=self._signed_out,
            )
        )
        self.scope["entry"].authenticated()
        if not await self._may_go_on(person.pk):
            return
        await self._live.enter_async_context(
            hub().listening(pubsub.user_channel(person.pk), self._receive_live)
        )
        hub().on_return = resync().hurry
        self._topics = TopicFeed(person.pk, self._receive_live, changed=self._tell_topics)
        self._live.push_async_callback(self._topics.leave)
        await self._topics.look()
        await self._begin(person, frames.asked_resume(frame, self.scope["query_string"]))
        self._live.enter_context(resync().watching(person.pk, lambda head: self._look(*head)))
        self._ready = True

    async def _may_go_on(self, person_id: int) -> bool:
        """Wait while the person has to, for a flood of theirs. Return False if the socket is over by then."""
        control, loop = flow.of(self.scope), asyncio.get_running_loop()
        if control is None:
            return True
        control.on_flood(lambda: flood_penalties().note(person_id, loop.time()))
        if not control.useless:
            await flood_penalties().over(person_id)
        return not (self._over or control.useless)

    async def _begin(self, person: User, asked: object) -> None:
        """Say `ready`, and hand over to the outbox what the client has missed."""
        resume, refused = None, None
        try:
            resume = None if asked is None else frames.checked_resume(asked)
        except FrameRefused as error:
            refused = error
        start = await in_thread(
            recovery.begin, person.pk, resume, wanted=asked is not None, time_zone=person.time_zone
        )
        position, recovered = start.position, start.recovered
        self._epoch = position.epoch
        await self._say(
            "ready", seq=position.seq, epoch=position.epoch, recovered=recovered, unread=position.unread
        )
        if refused is not None:
            await self._say("error", code=refused.code, detail=refused.detail)
        if start.items is not None:
            await self._say("snapshot", items=start.items)
        self._feed.start(after=start.after, known=position.seq, resumed=recovered)

    def _receive_live(self, message: bytes) -> None:
        """Called by the hub for every frame of this person and of their topics."""
        if message == pubsub.TOPICS_CHANGED:
            if self._topics is not None:  # else the first look is still to come
                self._topics.look_soon()
            return
        frame = pubsub.addressed(message, self.socket_id)
        if frame is not None:
            self._feed.receive(frame)

    async def _tell_topics(self) -> None:
        if self._ready and self._topics is not None:
            await self._say("subscribed", topics=self._topics.names)

    async def _read_missed(self, after: int, limit: int) -> Missed:
        assert self._person is not None
        return await in_thread(
            recovery.missed, self._person.pk, after=after, limit=limit, time_zone=self._person.time_zone
        )

    def _look(self, seq: int, epoch: str) -> None:
        if epoch == self._epoch:
            self._feed.look(seq)
        else:  # the sequence began anew: the client has to hear of that in a `ready`
            self._close_soon(CLOSE_UNAVAILABLE)

    def _too_slow(self) -> None:
        log.info("socket_too_slow")
        self._close_soon(CLOSE_SLOW)

    def _signed_out(self) -> None:
        """The credential has expired or was revoked."""
        self._close_soon(CLOSE_AUTH)

    async def _end(self, code: int) -> None:
        self._over = True
        await self.close(code)

    def _close_soon(self, code: int) -> None:
        self._over = True
        self._closing = asyncio.get_running_loop().create_task(self.close(code))

    def _auth_overdue(self) -> None:
        self._close_soon(CLOSE_AUTH)

    async def _say(self, kind: str, **fields: object) -> None:
        frame = self._feed.encode(pubsub.frame(kind, **fields))
        if frame is not None:
            self._writer.write(frame)
        await self._writer.drained()  # a close that follows must not overtake it


class NativeConsumer(SessionConsumer):
    """`/ws/native`: for clients without a browser. A token only; cookies and Origin do not count."""

    check_origin = False
