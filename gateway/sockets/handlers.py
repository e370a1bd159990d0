"""What the frames of a signed-in client do. Mixed into the consumer, which has the connection.

Frames are documented in docs/websocket.md.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import ClassVar

from django.utils import timezone

from gateway.auth import credentials
from gateway.auth.bearer import CLOSE_AUTH
from gateway.auth.credentials import Credential
from gateway.hub.threads import in_thread
from gateway.sockets import frames
from gateway.sockets.confirmations import Overloaded, confirmations
from gateway.sockets.feed import SessionFeed
from gateway.sockets.frames import Frame, FrameRefused
from gateway.sockets.identity import Identity, OtherPerson
from gateway.sockets.topics import TopicFeed
from notifications import acks, dispatch, store
from notifications.live import pubsub
from notifications.live.frames import to_ms
from notifications.store import UnknownEvent
from users.models import User

_STORED_WITHIN_S = 2.0  # a pong waits no longer for what was confirmed before its ping


class FrameHandlers:
    """One method a frame; `_handle` finds it. Raises what the consumer turns into error frames."""

    socket_id: str
    _person: User | None
    _identity: Identity | None
    _topics: TopicFeed | None
    _feed: SessionFeed
    _stored: asyncio.Future[None] | None  # the last of what this socket has confirmed
    # Of the consumer:
    _say: Callable[..., Awaitable[None]]
    _end: Callable[[int], Awaitable[None]]
    _credential: Callable[..., Awaitable[Credential]]

    async def _handle(self, frame: Frame) -> None:
        handler = self._handlers.get(frame["type"])
        if handler is None:
            raise FrameRefused("unknown_type", f"Known are {', '.join(self._handlers)}.")
        await handler(self, frame)

    async def _on_ack(self, frame: Frame) -> None:
        """Take confirmations; they are stored together with those of other sockets."""
        assert self._person is not None
        ids = frames.event_ids(frame)
        try:
            self._stored = confirmations().add(self._person.pk, ids, self.socket_id)
        except Overloaded as error:
            raise FrameRefused("unavailable", "Confirm these again in a few seconds.") from error
        self._feed.confirmed(ids)
        if self._identity is not None:
            self._identity.confirmed()

    async def _on_acknowledge(self, frame: Frame) -> None:
        """Take the person's own word, and tell all their sockets."""
        assert self._person is not None
        person_id, event_id = self._person.pk, frames.event_id(frame)

        def acknowledge() -> None:
            dispatch.run_effects_later(acks.acknowledge(person_id, event_id, now=timezone.now()))
            pubsub.push([(person_id, pubsub.frame("event.acknowledged", event_ids=[event_id]))])

        try:
            await in_thread(acknowledge)
        except UnknownEvent as error:
            raise FrameRefused("unknown_event", "This person has no such event.") from error
        self._feed.confirmed([event_id])

    async def _on_mark(self, frame: Frame) -> None:
        """Take seen, read and archive, and mirror them to the person's other sockets."""
        assert self._person is not None
        person_id, what, ids = self._person.pk, str(frame["type"]), frames.event_ids(frame)

        def mark() -> None:
            changed = store.inbox.mark(person_id, ids, what, now=timezone.now())
            if changed:
                name = "event.archived" if what == "archive" else f"event.{what}"
                pubsub.push([(person_id, pubsub.frame(name, event_ids=changed))])

        await in_thread(mark)

    async def _on_topics(self, frame: Frame) -> None:
        """Change what the person follows; all of their sockets do."""
        assert self._topics is not None
        change = self._topics.subscribe if frame["type"] == "subscribe" else self._topics.unsubscribe
        for refused in await change(frames.topics(frame)):
            await self._say("error", code=refused.code, detail=refused.detail, topic=refused.topic)
        await self._say("subscribed", topics=self._topics.names)

    async def _on_ping(self, frame: Frame) -> None:
        """Answer when what was confirmed before is stored, or without it while the database is away."""
        if self._stored is not None:
            await asyncio.wait({self._stored}, timeout=_STORED_WITHIN_S)
        self._feed.alive()
        await self._say("pong")

    async def _on_auth(self, frame: Frame) -> None:
        """Renew the sign-in, so that the socket outlives the credential that it began with."""
        assert self._identity is not None
        try:
            credential = await self._credential(credentials.of_frame, frame)
            self._identity.renew(credential)
        except OtherPerson:
            await self._say("error", code="other_person", detail="This socket belongs to another person.")
            await self._end(CLOSE_AUTH)
        else:
            await self._say("auth.renewed", expires_at=to_ms(credential.expires_at))

    # Explicit: what a client sends is never taken for a method's name.
    _handlers: ClassVar[dict[str, Callable[["FrameHandlers", Frame], Awaitable[None]]]] = {
        "ack": _on_ack,
        "acknowledge": _on_acknowledge,
        "seen": _on_mark,
        "read": _on_mark,
        "archive": _on_mark,
        "subscribe": _on_topics,
        "unsubscribe": _on_topics,
        "ping": _on_ping,
        "auth": _on_auth,
    }
