"""The ways to say what happened: one for each promise. Every kind of publisher has them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, List, Optional, TypeVar

from tocsin.events import CRITICAL, INFORMATIONAL, NORMAL, Channel, Event

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from tocsin.events import Details

R_co = TypeVar("R_co", covariant=True)


class Verbs(ABC, Generic[R_co]):
    """Publishes events. What `publish` returns depends on the kind of publisher."""

    @abstractmethod
    def publish(self, event: Event) -> R_co:
        """Publish one event."""

    def informational(
        self,
        user_id: str = "",
        event_type: str = "",
        payload: Optional[Mapping[str, Any]] = None,
        **details: Unpack[Details],
    ) -> R_co:
        """Show it to who is looking now. It is sent once, stored nowhere, and dropped if nobody looks."""
        return self.publish(Event(user_id, event_type, payload or {}, INFORMATIONAL, **details))

    def active_or_fallback(
        self,
        user_id: str = "",
        event_type: str = "",
        payload: Optional[Mapping[str, Any]] = None,
        *,
        fallback: Sequence[str] = (),
        **details: Unpack[Details],
    ) -> R_co:
        """Bring it to the open page, else to the first usable channel: NORMAL, with bounded tries.

        `fallback` names these channels in their order ("TELEGRAM", "EMAIL"); without it the person's own
        settings do.
        """
        if fallback:
            details["channels"] = _page_first(fallback)
        return self.publish(Event(user_id, event_type, payload or {}, NORMAL, **details))

    def critical(
        self,
        user_id: str = "",
        event_type: str = "",
        payload: Optional[Mapping[str, Any]] = None,
        **details: Unpack[Details],
    ) -> R_co:
        """Bring it to the person by any channel: confirmed, retried and escalated until it ends."""
        return self.publish(Event(user_id, event_type, payload or {}, CRITICAL, **details))


def _page_first(fallback: Sequence[str]) -> List[Channel]:
    return [{"channel": "ACTIVE_SESSION", "only_if_active": True}, *fallback]
