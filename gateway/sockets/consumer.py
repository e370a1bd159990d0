"""The WebSocket edge: one consumer per socket. It translates frames into domain calls.

Frames and close codes are documented in docs/websocket.md.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from secrets import token_hex
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer

from gateway import close_codes
from gateway.auth import credentials
from gateway.auth.bearer import AuthFailed
from gateway.auth.credentials import Credential
from gateway.auth.tickets import TicketsUnavailable
from gateway.hub.hub import hub
from gateway.hub.threads import in_thread
from gateway.presence.floods import flood_penalties
from gateway.presence.sockets import TooManySockets
from gateway.server import flow, wire
from gateway.settings import edge_settings
from gateway.sockets import exchange, frames
from gateway.sockets.devices import device_of
from gateway.sockets.feed import SessionFeed
from gateway.sockets.frames import AUTH_BYTES, FRAME_BYTES, Frame, FrameRefused
from gateway.sockets.handlers import FrameHandlers
from gateway.sockets.identity import Identity, signed_in
from gateway.sockets.origin import origin_allowed, session_allowed
from gateway.sockets.resync import resync
from gateway.sockets.topics import TopicFeed
from gateway.sockets.window import Window
from gateway.sockets.writer import AsgiWriter
from notifications.live import pubsub, recovery
from notifications.live.recovery import Missed
from runtime.postgres.away import DATABASE_AWAY
from users.models import User

log = logging.getLogger(__name__)


class SessionConsumer(FrameHandlers, AsyncWebsocketConsumer):  # type: ignore[misc]
    """`/ws`: for a page, with a browser session or a token in the first frame. Checks the Origin."""

    check_origin = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._person: User | None = None
        self._identity: Identity | None = None
        self._topics: TopicFeed | None = None
        self._closed_by_us = False  # frames that still arrive are ignored
        self._resources = AsyncExitStack()
        self._auth_timer: asyncio.TimerHandle | None = None
        self.socket_id = token_hex(6)
        self._ready = False
        self._close_task: asyncio.Task[None] | None = None
        self._epoch = ""
        self._last_stored: asyncio.Future[None] | None = None  # of this socket's confirmations
        settings = edge_settings()
        self._writer = AsgiWriter(self.send)
        self._feed = SessionFeed(
            self._writer,
            Window(settings.window_frames, settings.window_bytes),
            read_missed=self._read_missed,
            on_slow=self._on_too_slow,
            slow_after_s=settings.slow_close_s,
        )
        self._writer.on_empty = self._feed.on_flushed

    async def __call__(self, *args: Any) -> None:
        """Run the socket, and end the person's presence with it, also after an error in a handler."""
        try:
            await super().__call__(*args)
        finally:
            await self._release()

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Without Channels' thread hand-over per frame: our threads close old connections themselves."""
        handlers = {
            "websocket.connect": self.websocket_connect,
            "websocket.receive": self.websocket_receive,
            "websocket.disconnect": self.websocket_disconnect,
        }
        await handlers[message["type"]](message)

    async def connect(self) -> None:
        self._writer.wire = wire.of(self.scope)
        await self._accept()
        if self._closed_by_us:
            return
        user = self.scope.get("user") if self.check_origin and session_allowed(self.scope) else None
        if isinstance(user, User) and user.is_active:
            await self._report_errors(self._authenticate_by_session(user))
        else:
            within_s = edge_settings().auth_within_s
            self._auth_timer = asyncio.get_running_loop().call_later(within_s, self._on_auth_timeout)

    async def _accept(self) -> None:
        """Complete the handshake. A refused socket is accepted first, so that a page sees the close code."""
        try:
            subprotocol = exchange.chosen(self.scope["subprotocols"])
        except exchange.UnknownSubprotocol:
            await self.accept()
            detail = f"Offer {exchange.SUBPROTOCOL}, or no sub-protocol."
            await self._send_frame("error", code="unknown_subprotocol", detail=detail)
            await self._close_with(close_codes.UNKNOWN_SUBPROTOCOL)
            return
        if subprotocol is not None:
            self._feed.encode = exchange.encode
        await self.accept(subprotocol)
        if (control := flow.of(self.scope)) is not None:
            control.follow(self._feed)
        if self.check_origin and not origin_allowed(self.scope):
            await self._close_with(close_codes.FORBIDDEN_ORIGIN)

    async def disconnect(self, code: int) -> None:
        await self._release()

    async def _release(self) -> None:
        if self._auth_timer is not None:
            self._auth_timer.cancel()
        self._feed.close()
        self._writer.close()
        await self._resources.aclose()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if not self._closed_by_us:
            await self._report_errors(self._receive_frame(text_data))

    async def _receive_frame(self, text: str | None) -> None:
        frame = frames.parsed(text, AUTH_BYTES if self._person is None else FRAME_BYTES)
        if self._person is None:
            await self._authenticate_by_frame(frame)
        else:
            await self._handle(frame)

    async def _report_errors(self, work: Awaitable[None]) -> None:
        """Run `work`; answer a refusal with an error frame, and before the sign-in with a close as well."""
        try:
            await work
        except FrameRefused as refused:
            await self._send_frame("error", code=refused.code, detail=refused.detail)
            if self._identity is None:
                await self._close_with(close_codes.UNAUTHENTICATED)
        except TooManySockets:
            most = edge_settings().sockets_per_person
            detail = f"This person has {most} open sockets; close one."
            await self._send_frame("error", code="too_many_sockets", detail=detail)
            await self._close_with(close_codes.TOO_MANY_SOCKETS)
        except (*DATABASE_AWAY, TicketsUnavailable):
            await self._report_unavailable()

    async def _report_unavailable(self) -> None:
        """Report that the database (for a ticket: Redis) is away. Before `ready` this closes the socket."""
        log.exception("frame_failed")
        await self._send_frame("error", code="unavailable", detail="Try again in a few seconds.")
        if not self._ready:
            await self._close_with(close_codes.UNAVAILABLE)

    async def _authenticate_by_frame(self, frame: Frame) -> None:
        if frame["type"] != "auth":
            raise FrameRefused("auth_required", "The first frame must be auth with a token or a ticket.")
        await self._start_session(await self._read_credential(credentials.of_frame, frame), frame)

    async def _authenticate_by_session(self, person: User) -> None:
        session_key = self.scope["session"].session_key
        await self._start_session(await self._read_credential(credentials.of_session, person, session_key))

    async def _read_credential(self, read: Callable[..., Credential], *given: object) -> Credential:
        try:
            return await in_thread(read, *given)
        except AuthFailed as failed:
            raise FrameRefused(failed.code, failed.detail) from failed

    async def _start_session(self, credential: Credential, frame: Frame | None = None) -> None:
        """Subscribe before reading the database, so that no event is missed in between."""
        if self._auth_timer is not None:
            self._auth_timer.cancel()
        self._person = person = credential.person
        self._identity = await self._resources.enter_async_context(
            signed_in(
                credential,
                socket_id=self.socket_id,
                device=device_of(frame, self.scope),
                end=self._on_signed_out,
            )
        )
        self.scope["entry"].on_authenticated()
        if not await self._wait_out_flood_penalty(person.pk):
            return
        await self._resources.enter_async_context(
            hub().listening(pubsub.user_channel(person.pk), self._on_hub_message)
        )
        hub().on_return = resync().hurry
        self._topics = TopicFeed(person, self._on_hub_message, on_change=self._send_topics)
        self._resources.push_async_callback(self._topics.close)
        await self._topics.refresh()
        await self._send_ready(person, frame)
        self._resources.enter_context(resync().watching(person.pk, lambda head: self._on_resync(*head)))
        self._ready = True

    async def _wait_out_flood_penalty(self, person_id: int) -> bool:
        """Wait until the person's flood penalty has ended. Return whether the socket is still open then."""
        control, loop = flow.of(self.scope), asyncio.get_running_loop()
        if control is None:
            return True
        control.on_flood(lambda: flood_penalties().start_pause(person_id, loop.time()))
        if not control.useless:
            await flood_penalties().wait_until_over(person_id)
        return not (self._closed_by_us or control.useless)

    async def _send_ready(self, person: User, frame: Frame | None) -> None:
        """Send `ready` and what the client asked for with it; start the feed after its position."""
        resume, refused = None, None
        asked = frames.asked_resume(frame, self.scope["query_string"])
        try:
            resume = None if asked is None else frames.checked_resume(asked)
        except FrameRefused as error:
            refused = error
        start = await in_thread(
            recovery.begin,
            person.pk,
            resume,
            resume_asked=asked is not None,
            time_zone=person.time_zone,
            locale=person.locale,
        )
        position, recovered = start.position, start.recovered
        self._epoch = position.epoch
        await self._send_frame(
            "ready", seq=position.seq, epoch=position.epoch, recovered=recovered, unread=position.unread
        )
        if refused is not None:
            await self._send_frame("error", code=refused.code, detail=refused.detail)
        if start.items is not None:
            await self._send_frame("snapshot", items=start.items)
        await self._send_first_page(frames.asked_page(frame, self.scope["query_string"]))
        self._feed.start(after=start.after, head=position.seq, resumed=recovered)

    def _on_hub_message(self, message: bytes) -> None:
        """Receive a frame of this person or of one of their topics from the hub."""
        if message == pubsub.TOPICS_CHANGED:
            if self._topics is not None:  # else the first refresh is still to come
                self._topics.refresh_soon()
            return
        frame = pubsub.addressed(message, self.socket_id)
        if frame is not None:
            self._feed.receive(frame)

    async def _send_topics(self) -> None:
        if self._ready and self._topics is not None:
            await self._send_frame("subscribed", topics=self._topics.names)

    async def _read_missed(self, after: int, limit: int) -> Missed:
        person = self._person
        assert person is not None
        return await in_thread(
            recovery.missed,
            person.pk,
            after=after,
            limit=limit,
            time_zone=person.time_zone,
            locale=person.locale,
        )

    def _on_resync(self, seq: int, epoch: str) -> None:
        if epoch == self._epoch:
            self._feed.advance_head(seq)
        else:  # a new sequence: the client learns its epoch from the next `ready`
            self._schedule_close(close_codes.UNAVAILABLE)

    def _on_too_slow(self) -> None:
        log.info("socket_too_slow")
        self._schedule_close(close_codes.SLOW)

    def _on_signed_out(self) -> None:
        """Close the socket: its credential has expired or was revoked."""
        self._schedule_close(close_codes.UNAUTHENTICATED)

    async def _close_with(self, code: int) -> None:
        self._closed_by_us = True
        await self.close(code)

    def _schedule_close(self, code: int) -> None:
        self._closed_by_us = True
        self._close_task = asyncio.get_running_loop().create_task(self.close(code))

    def _on_auth_timeout(self) -> None:
        self._schedule_close(close_codes.UNAUTHENTICATED)

    async def _send_frame(self, kind: str, **fields: object) -> None:
        frame = self._feed.encode(pubsub.frame(kind, **fields))
        if frame is not None:
            self._writer.write(frame)
        await self._writer.drained()  # so that a following close does not overtake it


class NativeConsumer(SessionConsumer):
    """`/ws/native`: for clients without a browser, with a token only. Ignores cookies and Origin."""

    check_origin = False
