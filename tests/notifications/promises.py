"""What may never happen, in whatever order faults come: checked after every step of the machine."""

from dataclasses import dataclass

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from notifications import store
from notifications.settings import PipelineSettings
from notifications.states import (
    DELIVERY_TRANSITIONS,
    EVENT_TRANSITIONS,
    Channel,
    DeliveryState,
    EventState,
    Priority,
)

SETTINGS = PipelineSettings(max_tries=3)


PICK = st.integers(0, 1000)  # of a list whose length nobody knows beforehand


@dataclass
class Hold:
    """What one worker has in its hands: a claim, and whether its message has left."""

    claim: store.Claimed | store.Success  # the accepter of an event whose first step is the page has no more
    flagged: bool = False
    sent: bool = False

    @property
    def id(self) -> str:
        return self.claim.delivery_id

    @property
    def is_page(self) -> bool:
        return isinstance(self.claim, store.Success) or self.claim.channel is Channel.WEB

    @property
    def may_send(self) -> bool:
        return not (self.is_page or self.sent or self.claim.unusable)


def by_holder(wanted, **given):
    """A rule for one of the holds that `wanted` accepts; its lease may have passed long ago."""

    def decorate(turn):
        def run(self, pick, **chosen):
            found = [hold for hold in self.holds if wanted(hold)]
            hold = found[pick % len(found)]
            self.holds.remove(hold)
            turn(self, hold, **chosen)

        run.__name__ = turn.__name__
        return precondition(lambda self: any(map(wanted, self.holds)))(rule(pick=PICK, **given)(run))

    return decorate


class Promises:
    """The rows as they were after the last step, and the checks of each change."""

    def __init__(self):
        super().__init__()
        self.rows: dict[str, dict] = {}
        self.events: dict[int, dict] = {}
        self.sends: list[tuple[int, str, bool]] = []  # event, delivery, flagged: what the world has seen

    def look(self):
        from notifications.models import Delivery, Event

        self.rows = {str(row["id"]): row for row in Delivery.objects.values()}
        self.events = {event["id"]: event for event in Event.objects.values()}

    def assert_unchanged(self):
        before = self.rows, self.events
        self.look()
        assert (self.rows, self.events) == before, "a worker without a lease has written"

    def check_row(self, row, before):
        was = DeliveryState(before["state"]) if before else None
        if was and was != row["state"]:
            may_become = set(DELIVERY_TRANSITIONS[was])
            if row["priority"] == Priority.CRITICAL and DeliveryState.FAILED in may_become:
                may_become |= DELIVERY_TRANSITIONS[
                    DeliveryState.FAILED
                ]  # it failed, and was returned to at once
            assert row["state"] in may_become, f"{was} became {row['state']}"
        assert (row["ring_at"] is None) == (row["ended_at"] is not None), "the sweep looks at open rows only"
        assert (row["lease_token"] is not None) == (row["state"] == DeliveryState.SENDING)
        assert row["attempts"] <= SETTINGS.max_tries

    def check_event(self, event, before):
        rows = [row for row in self.rows.values() if row["event_id"] == event["id"]]
        end = {name: event[name] for name in ("state", "delivered_via", "evidence", "code", "final_at")}
        if before and before["state"] != event["state"]:
            assert event["state"] in EVENT_TRANSITIONS[EventState(before["state"])]
        if before and before["final_at"]:
            assert end == {name: before[name] for name in end}, "an end has changed"
        if event["state"] == EventState.ACCEPTED:
            assert sum(row["ended_at"] is None for row in rows) == 1, "lost, or on two channels at once"
        if event["state"] == EventState.EXPIRED:
            assert event["expires_at"] <= event["final_at"]
        if event["state"] == EventState.FAILED and event["priority"] == Priority.CRITICAL:
            assert len(rows) == len(event["plan"]), "a channel was not tried"
        if event["evidence"] == "transport":
            assert any(sent[0] == event["id"] for sent in self.sends)
        self._check_sends(event)

    def check_turn(self, event, claimed):
        """A send begins: what comes first with its keys has ended, and nothing newer was accepted."""
        if claimed.channel is Channel.WEB:
            return
        for other in self.events.values():
            if event["ordering_key"] and other["ordering_key"] and other["seq"] < event["seq"]:
                assert not self._is_unfinished(other), "overtaken"
            if not event["collapse_key"] or not other["collapse_key"] or other["id"] == event["id"]:
                continue
            if (other["version"], other["seq"]) < (event["version"], event["seq"]):
                assert not self._is_unfinished(other), "the older state may follow"
            else:
                more_urgent = event["priority"] > other["priority"] and event["seq"] < other["seq"]
                assert more_urgent, "an older state after a newer one was accepted"

    def _is_unfinished(self, event):
        rows = [row for row in self.rows.values() if row["event_id"] == event["id"]]
        sending = [row for row in rows if row["state"] == DeliveryState.SENDING]
        in_flight = [
            row for row in sending if row["channel"] != Channel.WEB and row["lease_until"] > self.now
        ]
        return event["state"] == EventState.ACCEPTED or bool(in_flight)

    def _check_sends(self, event):
        """One message, and per channel one marked repeat once an outcome was unknown."""
        sent = [(pk, flagged) for event_pk, pk, flagged in self.sends if event_pk == event["id"]]
        assert sum(not flagged for _, flagged in sent) <= 1, "an unmarked repeat"
        assert len(set(sent)) == len(sent), "a second marked repeat"
        assert len(sent) <= 1 or event["priority"] == Priority.CRITICAL, "NORMAL is not repeated"
