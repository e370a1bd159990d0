"""Any sequence of faults, in virtual time, over the real store: no promise is broken.

The machine plays accepters, workers, pages, the broker and the sweep, in any order; the clock moves only
when a rule moves it. `TOCSIN_STATE_MACHINE_EXAMPLES=5000` looks longer, and elsewhere each time.
"""

import os
import sys
from datetime import timedelta
from functools import partial

from django.db import transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from notifications import store
from notifications.effects import Effects
from notifications.states import (
    AttemptOutcome,
    Channel,
    DeliveryState,
    EventState,
    FailureKind,
    Priority,
    WaitReason,
)
from tests.notifications.desk import claim
from tests.notifications.promises import PICK, SETTINGS, Hold, Promises, by_holder

EXAMPLES = int(os.environ.get("TOCSIN_STATE_MACHINE_EXAMPLES", "0"))
# Past a doorbell's head start, the page's deadline, a backoff, a lease, the sweep's patience, an expiry.
JUMPS_S = (1, 5, 6, 30, 56, 61, 130, 1000)
STEPS = ("page", "chat", "mailbox", "spare")
GIVEN_UP = {"kind": FailureKind.TEMPORARY, "error": "used up"}
KEYS = ({}, {"ordering_key": "o"}, {"collapse_key": "c"}, {"ordering_key": "o", "collapse_key": "c"})
KINDS = (FailureKind.RECIPIENT, FailureKind.MESSAGE, FailureKind.CONFIGURATION)


class Deliveries(Promises, RuleBasedStateMachine):
    def __init__(self, desk, caplog):
        super().__init__()
        self._example = transaction.atomic()
        self._example.__enter__()
        self.desk, self.caplog = desk, caplog
        self.now = desk.now
        self.person = desk.person()
        places = {"chat": Channel.TELEGRAM, "mailbox": Channel.EMAIL, "spare": Channel.EMAIL}
        self.places = {name: desk.address(self.person, channel) for name, channel in places.items()}
        self.accepted: list[store.Acceptance] = []
        self.bells: list[str] = []
        self.holds: list[Hold] = []
        self.effects = Effects()

    # --- producers --------------------------------------------------------------------------------------
    @precondition(lambda self: len(self.accepted) < 4)
    @rule(
        names=st.lists(st.sampled_from(STEPS), min_size=1, max_size=3, unique=True),
        priority=st.sampled_from([Priority.NORMAL, Priority.CRITICAL]),
        expires_s=st.sampled_from([20, 120, 3600]),
        keys=st.sampled_from(KEYS),
        version=st.integers(0, 2),
    )
    def accept(self, names, priority, expires_s, keys, version):
        plan = [None if name == "page" else self.places[name] for name in names]
        plan = [place for place in plan if place is None or place.pk is not None]
        if not plan:
            return
        event_id = f"e{len(self.accepted)}"
        given = {"priority": priority, "expires_s": expires_s, "version": version} | keys
        acceptance = self.desk.acceptance(self.person, event_id, *plan, **given)
        self.accepted.append(acceptance)
        [stored] = store.accept([acceptance], now=self.now)
        assert stored.kind == "accepted"
        self.effects = stored.effects or Effects()
        if stored.state is not EventState.ACCEPTED:
            assert stored.superseded_by and keys.get("collapse_key")
        elif plan[0] is None:
            success = store.Success(stored.delivery_id, stored.token, self.now, self.now)
            self.holds.append(Hold(success))
        elif not stored.waits:
            self.bells.append(stored.delivery_id)

    @precondition(lambda self: self.accepted)
    @rule(pick=PICK)
    def accept_again(self, pick):
        again = self.accepted[pick % len(self.accepted)]
        [stored] = store.accept([again, again][: pick % 2 + 1], now=self.now)[-1:]
        assert (stored.kind, stored.delivery_id) == ("duplicate", "")

    # --- the broker -------------------------------------------------------------------------------------
    @precondition(lambda self: self.bells)
    @rule(pick=PICK, doubled=st.booleans())
    def answer_a_doorbell(self, pick, doubled):
        pick %= len(self.bells)
        self._claim([self.bells[pick] if doubled else self.bells.pop(pick)])

    @precondition(lambda self: self.rows)
    @rule()
    def ring_for_everything(self):
        self._claim(list(self.rows))

    # --- workers ----------------------------------------------------------------------------------------
    def _claim(self, ids):
        for claimed in claim(ids, now=self.now, lease_s=SETTINGS.lease_s, max_tries=SETTINGS.max_tries):
            event, row = self.events[claimed.event_pk], self.rows[claimed.delivery_id]
            assert event["state"] == EventState.ACCEPTED, "a send would start after the end"
            assert event["expires_at"] > self.now >= row["not_before"]
            assert row["state"] != DeliveryState.SENDING, "two leases on one row"
            self.check_turn(event, claimed)
            self.holds.append(Hold(claimed, flagged=claimed.possible_duplicate))

    def failure(self, hold, outcome):
        return store.Failure(hold.claim, self.now, self.now, outcome, "no")

    def _send(self, hold):
        if not hold.sent:
            self.sends.append((hold.claim.event_pk, hold.id, hold.flagged))
        hold.sent = True

    def _is_current(self, hold):
        row = self.rows[hold.id]
        return row["state"] == DeliveryState.SENDING and str(row["lease_token"]) == hold.claim.token

    def _record(self, hold, write):
        """Write a result. A worker that has lost its lease must be told, and must have changed nothing."""
        current = self._is_current(hold)
        try:
            self.effects = write() or Effects()
        except store.LeaseLost:
            assert not current
            self.assert_unchanged()
        else:
            assert current

    @by_holder(lambda hold: hold.may_send)
    def send(self, hold):
        self._send(hold)
        self.holds.append(hold)

    @by_holder(lambda hold: hold.sent)
    def succeed(self, hold):
        current = self._is_current(hold)
        success = store.Success(hold.id, hold.claim.token, self.now, self.now, "m1")
        self.effects, lost = store.record_sent([success])
        assert lost == ([] if current else [hold.id])

    @by_holder(lambda hold: hold.may_send, wait_s=st.sampled_from([0, 40]))
    def fail_for_a_passing_reason(self, hold, wait_s):
        failure = self.failure(hold, AttemptOutcome.TEMPORARY)
        due = self.now + timedelta(seconds=wait_s)
        if hold.claim.attempt < SETTINGS.max_tries:
            self._record(hold, lambda: store.record_deferred(failure, not_before=due, ring_at=due))
        else:
            self._record(hold, lambda: store.record_failed(failure, FailureKind.TEMPORARY, now=self.now))

    @by_holder(lambda hold: hold.may_send, wait_s=st.sampled_from([0, 40, 400]))
    def leave_rather_than_wait(self, hold, wait_s):
        failure = self.failure(hold, AttemptOutcome.LIMITED)
        given = {"until": self.now + timedelta(seconds=wait_s), "reason": WaitReason.RETRY_AFTER}
        self._record(hold, lambda: store.record_left(failure, **given, now=self.now))

    @by_holder(lambda hold: hold.may_send, kind=st.sampled_from(KINDS))
    def fail_for_good(self, hold, kind):
        failure = self.failure(hold, AttemptOutcome(kind.value))
        self._record(hold, lambda: store.record_failed(failure, kind, now=self.now))

    @by_holder(lambda hold: hold.sent or hold.may_send)
    def lose_the_answer(self, hold):
        self._send(hold)
        failure = self.failure(hold, AttemptOutcome.UNKNOWN)
        backoff_s = SETTINGS.unknown_backoff_s
        self._record(hold, lambda: store.record_unknown(failure, now=self.now, backoff_s=backoff_s))

    @by_holder(lambda hold: hold.may_send)
    def give_back(self, hold):
        current = self._is_current(hold)
        assert bool(store.release([hold.claim], now=self.now)) == current

    @by_holder(lambda hold: True)
    def die(self, hold):
        pass  # and never records what it did

    @by_holder(lambda hold: hold.may_send)
    def die_while_it_sends_and_beat_is_away(self, hold):
        self._send(hold)
        self.wait(seconds=56)

    @by_holder(lambda hold: not hold.is_page and hold.claim.unusable)
    def skip_the_unusable(self, hold):
        failure = self.failure(hold, AttemptOutcome.RECIPIENT)
        self._record(hold, lambda: store.record_skipped(failure, now=self.now))

    @property
    def tried(self):
        return [pk for pk, row in self.rows.items() if row["channel"] != Channel.WEB and row["attempts"]]

    @precondition(lambda self: self.tried)
    @rule(pick=PICK)
    def use_up_the_retries(self, pick):
        tried = self.tried
        self.effects = store.give_up([tried[pick % len(tried)]], now=self.now, **GIVEN_UP)

    # --- pages ------------------------------------------------------------------------------------------
    @by_holder(lambda hold: hold.is_page)
    def push(self, hold):
        success = store.Success(hold.id, hold.claim.token, self.now, self.now)
        store.record_pushed([success], [self.now + timedelta(seconds=5)])

    @by_holder(lambda hold: hold.is_page)
    def find_no_page(self, hold):
        if isinstance(hold.claim, store.Success):
            self.effects = store.skip_unpushed([hold.id], now=self.now)
        else:
            failure = self.failure(hold, AttemptOutcome.NO_SESSION)
            self._record(hold, lambda: store.record_skipped(failure, now=self.now))

    @precondition(lambda self: self.accepted)
    @rule(pick=PICK, silent=st.sampled_from([True, True, False]))  # or every event would end this way
    def confirm(self, pick, silent):
        if silent:
            return
        event_id = self.accepted[pick % len(self.accepted)].envelope.event_id
        self.effects = store.confirm([(self.person.pk, event_id)], now=self.now)

    # --- the rest of the world --------------------------------------------------------------------------
    @rule()
    def sweep(self):
        self.effects = store.sweep_deliveries(now=self.now, settings=SETTINGS)
        assert "sweep_failed" not in self.caplog.messages

    @rule(seconds=st.sampled_from(JUMPS_S))
    def wait(self, seconds):
        self.now = self.desk.now = self.now + timedelta(seconds=seconds)

    @rule(what=st.sampled_from(["disable", "enable", "remove", "lose doorbells"]))
    def trouble(self, what):
        """One rule for all that is rare, so that most steps are about deliveries."""
        place = self.places["spare" if what == "remove" else "mailbox"]
        if what == "lose doorbells":
            self.bells.clear()
        elif what == "remove":
            if place.pk is not None:
                place.delete()  # and leaves it without a key
        else:
            disabled = what == "disable"
            place.disabled_at, place.disabled_reason = (self.now, "dead") if disabled else (None, "")
            place.save(update_fields=["disabled_at", "disabled_reason"])

    # --- the end ------------------------------------------------------------------------------------------
    @invariant()
    def every_promise_is_kept(self):
        rows, events, effects, self.effects = self.rows, self.events, self.effects, Effects()
        self.look()
        self.bells += [ring.delivery_id for ring in effects.rings]
        self.bells += [ring.delivery_id for ring in store.next_in_line(effects.freed, now=self.now)]
        assert set(self.bells) <= self.rows.keys(), "a doorbell for no row"
        for pk, row in self.rows.items():
            self.check_row(row, rows.get(pk))
        for pk, event in self.events.items():
            self.check_event(event, events.get(pk))
        open_before = [pk for pk, event in events.items() if not event["final_at"]]
        ended = [pk for pk in open_before if self.events[pk]["final_at"]]
        assert sorted(effects.finals) == sorted(ended), "every end is told, once"

    def teardown(self):
        try:
            if sys.exc_info()[0] is None:  # else the steps have failed already
                self._everything_ends()
        finally:
            transaction.set_rollback(True)
            self._example.__exit__(None, None, None)

    def _everything_ends(self):
        """The faults stop, nobody confirms: sweeps and a working provider end every event soon."""
        self.holds.clear()
        deadline = self.now + timedelta(seconds=300)
        while open_rows := [row for row in self.rows.values() if row["ended_at"] is None]:
            self.now = max(self.now, min(row["ring_at"] for row in open_rows))
            assert self.now < deadline, "stuck"
            self._and_look(self.sweep)
            self._and_look(partial(self._claim, [self.bells.pop() for _ in range(len(self.bells))]))
            while self.holds:
                self._and_look(partial(self._honest_turn(self.holds[0]), pick=0))
        assert all(event["final_at"] for event in self.events.values())

    def _honest_turn(self, hold):
        if hold.is_page:
            return self.push
        if hold.claim.unusable:
            return self.skip_the_unusable
        return self.succeed if hold.sent else self.send

    def _and_look(self, turn):
        turn()
        self.every_promise_is_kept()


def test_no_sequence_of_faults_breaks_a_promise(desk, caplog, override):
    override(max_tries=SETTINGS.max_tries)
    run_state_machine_as_test(
        partial(Deliveries, desk, caplog),
        settings=settings(
            max_examples=EXAMPLES or 25,
            derandomize=not EXAMPLES,
            stateful_step_count=40,
            deadline=None,
            database=None,
            report_multiple_bugs=False,
            phases=[Phase.generate, Phase.shrink]
            if EXAMPLES
            else [Phase.generate],  # shrinking takes minutes
            suppress_health_check=list(HealthCheck),
        ),
    )
