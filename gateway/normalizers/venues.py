"""What the formats of exchanges share: the account that is spoken of, and how urgent which type is."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.codec.fields import TYPES
from gateway.codec.limits import InvalidEvent, check_text
from gateway.normalizers.base import Draft, JsonObject, Received, To, Whom, event_id, not_understood
from notifications.states import Priority


@dataclass(frozen=True, slots=True)
class VenueOptions:
    """`account`: whose events these are, if the input does not say. `priorities`: by event type."""

    account: str = ""
    priorities: Mapping[str, str] = field(default_factory=dict)

    def account_of(self, received: Received) -> str:
        """Return the account of a stream that does not name one. Raises: `InvalidEvent`."""
        found = received.account or self.account
        if not found:
            detail = "Say whose it is: ?account=… in the hook's URL, or account in its options."
            raise not_understood(detail, "account")
        return found

    def draft(self, account: str, name: tuple[object, ...], kind: str, at_ms: int, **more: object) -> Draft:
        """Return the event of an account. `kind`: a type of the contract, or one of the venue's own."""
        event: JsonObject = {"event_type" if kind in TYPES else "type_name": kind, "timestamp": at_ms}
        if kind in self.priorities:
            event["delivery"] = {"priority": self.priorities[kind]}
        return Draft(To(Whom.ACCOUNT, account), event_id(*name), event | more)


def check_venue(options: JsonObject) -> VenueOptions:
    """Return the options of a hook for an exchange. Raises: `InvalidEvent`."""
    for name in options:
        if name not in {"account", "priorities"}:
            raise InvalidEvent("invalid_options", "Use account, priorities.", str(name)[:60])
    account, priorities = options.get("account", ""), options.get("priorities", {})
    if not isinstance(account, str):
        raise InvalidEvent("invalid_options", "Send a text.", "account")
    if not isinstance(priorities, dict):
        raise InvalidEvent("invalid_options", "Send an object: event types and priorities.", "priorities")
    for kind, priority in priorities.items():
        if not isinstance(priority, str) or priority not in Priority.__members__:
            names = ", ".join(Priority.__members__)
            raise InvalidEvent("invalid_options", f"Send one of {names}.", f"priorities.{kind}")
    return VenueOptions(check_text(account, "account", longest=200), priorities)
