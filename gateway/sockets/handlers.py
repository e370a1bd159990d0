"""Handlers for the frames of a signed-in client: a mixin of the consumer, which owns the connection.

Frames are documented in docs/websocket.md.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import ClassVar

from gateway import close_codes
from gateway.auth import credentials
from gateway.auth.credentials import Credential
from gateway.hub.threads import in_thread
from gateway.sockets import frames
from gateway.sockets.confirmations import Overloaded, confirmations
from gateway.sockets.feed import SessionFeed
from gateway.sockets.frames import Frame, FrameRefused
from gateway.sockets.identity import Identity, OtherPerson
from gateway.sockets.topics import TopicFeed
from notifications import acks, dispatch, store
from notifications.live import inbox, pubsub, recovery
from notifications.live.frames import changed_frames, to_ms
from notifications.store import AmbiguousEvent, UnknownEvent
from runtime.postgres import clock
from users.models import User

_STORED_WITHIN_S = 2.0  # a pong waits at most this long for the confirmations before its ping


class FrameHandlers:
    """One method per frame type, called by `_handle`. The consumer turns exceptions into error frames."""

    socket_id: str
    _person: User | None
    _identity: Identity | None
    _topics: TopicFeed | None
    _feed: SessionFeed
    _epoch: str  # of the sequence that `ready` named
    _last_stored: asyncio.Future[None] | None  # of this socket's confirmations
    # Defined by the consumer:
    _send_frame: Callable[..., Awaitable[None]]
    _close_with: Callable[[int], Awaitable[None]]
    _read_credential: Callable[..., Awaitable[Credential]]

    async def _handle(self, frame: Frame) -> None:
        handler = self._handlers.get(frame["type"])
        if handler is None:
            raise FrameRefused("unknown_type", f"Known types: {', '.join(self._handlers)}.")
        await handler(self, frame)

    async def _on_ack(self, frame: Frame) -> None:
        """Queue confirmations; they are stored in batches with those of other sockets."""
        assert self._person is not None
        refs = frames.event_refs(frame, self._epoch)
        try:
            self._last_stored = confirmations().add(self._person.pk, refs, self.socket_id)
        except Overloaded as error:
            raise FrameRefused("unavailable", "Send this ack again in a few seconds.") from error
        self._feed.confirmed(refs)
        if self._identity is not None:
            self._identity.confirmed()

    async def _on_acknowledge(self, frame: Frame) -> None:
        """Record the person's acknowledgement, and notify all their sockets."""
        assert self._person is not None
        person_id, ref = self._person.pk, frames.event_ref(frame, self._epoch)

        def acknowledge() -> None:
            effects = acks.acknowledge(person_id, ref, now=clock.now())
            dispatch.run_effects_later(effects)
            pubsub.push(changed_frames("event.acknowledged", effects.confirmed))

        try:
            await in_thread(acknowledge)
        except UnknownEvent as error:
            raise FrameRefused("unknown_event", "This person has no such event.") from error
        except AmbiguousEvent as error:
            detail = "Several sources have an event with this id: name the source, or the seq."
            raise FrameRefused("ambiguous_event", detail) from error
        self._feed.confirmed([ref])

    async def _on_mark(self, frame: Frame) -> None:
        """Mark events as seen, read or archived, and notify all sockets of the person."""
        assert self._person is not None
        person_id, what = self._person.pk, str(frame["type"])
        refs = frames.event_refs(frame, self._epoch)
        kind = "event.archived" if what == "archive" else f"event.{what}"

        def mark() -> None:
            changes = store.inbox.mark(person_id, refs, what, now=clock.now())
            pubsub.push(changed_frames(kind, changes))

        await in_thread(mark)

    async def _on_inbox(self, frame: Frame) -> None:
        """Send a page of the inbox."""
        person = self._person
        assert person is not None
        before, limit = frames.page_wanted(frame)
        page = await in_thread(
            inbox.with_totals,
            person.pk,
            time_zone=person.time_zone,
            locale=person.locale,
            before=before,
            limit=limit,
            size_max=recovery.SNAPSHOT_BYTES,
        )
        await self._send_frame("inbox.page", before=before, **page)

    async def _send_first_page(self, limit: object) -> None:
        """Send the newest page of the inbox if the client asked for one; it is `ready` even without."""
        try:
            if limit is not None:
                await self._on_inbox({"limit": limit})
        except FrameRefused as refused:
            await self._send_frame("error", code=refused.code, detail=refused.detail)

    async def _on_topics(self, frame: Frame) -> None:
        """Change the topics that the person follows, on all of their sockets."""
        assert self._topics is not None
        change = self._topics.subscribe if frame["type"] == "subscribe" else self._topics.unsubscribe
        for refused in await change(frames.topics(frame)):
            await self._send_frame("error", code=refused.code, detail=refused.detail, topic=refused.topic)
        await self._send_frame("subscribed", topics=self._topics.names)

    async def _on_ping(self, frame: Frame) -> None:
        """Answer once earlier confirmations are stored, or after a time limit while the database is away."""
        if self._last_stored is not None:
            await asyncio.wait({self._last_stored}, timeout=_STORED_WITHIN_S)
        self._feed.on_ping()
        await self._send_frame("pong")

    async def _on_auth(self, frame: Frame) -> None:
        """Renew the sign-in, so that the socket may stay open after its first credential expires."""
        assert self._identity is not None
        try:
            credential = await self._read_credential(credentials.of_frame, frame)
            self._identity.renew(credential)
        except OtherPerson:
            await self._send_frame(
                "error", code="other_person", detail="This socket belongs to another person."
            )
            await self._close_with(close_codes.UNAUTHENTICATED)
        else:
            await self._send_frame("auth.renewed", expires_at=to_ms(credential.expires_at))

    # An explicit table: a client's text must never select a method by name.
    _handlers: ClassVar[dict[str, Callable[["FrameHandlers", Frame], Awaitable[None]]]] = {
        "ack": _on_ack,
        "acknowledge": _on_acknowledge,
        "seen": _on_mark,
        "read": _on_mark,
        "archive": _on_mark,
        "inbox": _on_inbox,
        "subscribe": _on_topics,
        "unsubscribe": _on_topics,
        "ping": _on_ping,
        "auth": _on_auth,
    }
