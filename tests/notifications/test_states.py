"""The tables of states say one thing, and the same thing everywhere."""

import re
from itertools import product
from pathlib import Path

import pytest

import notifications
from notifications.models import Attempt, Delivery, Event
from notifications.states import (
    DELIVERY_OPEN,
    DELIVERY_TRANSITIONS,
    EVENT_FINAL,
    EVENT_TRANSITIONS,
    REPLAYABLE,
    REPLAYABLE_BY_FORCE,
    AttemptOutcome,
    DeliveryState,
    EventState,
    Evidence,
    FailureKind,
    may_become,
)

_D = DeliveryState


@pytest.mark.parametrize(
    ("table", "states"), [(EVENT_TRANSITIONS, EventState), (DELIVERY_TRANSITIONS, DeliveryState)]
)
def test_every_state_has_its_row_and_leads_to_known_states(table, states) -> None:
    assert set(table) == set(states)
    assert all(targets <= set(states) for targets in table.values())


@pytest.mark.parametrize("table", [EVENT_TRANSITIONS, DELIVERY_TRANSITIONS])
def test_no_state_follows_itself(table) -> None:
    assert [state for state, targets in table.items() if state in targets] == []


def test_an_end_is_only_left_by_a_replay() -> None:
    assert EVENT_TRANSITIONS[EventState.ACCEPTED] == EVENT_FINAL
    left = {
        state: targets for state, targets in EVENT_TRANSITIONS.items() if state in EVENT_FINAL and targets
    }
    assert set(left) == REPLAYABLE_BY_FORCE
    assert set(left.values()) == {frozenset({EventState.ACCEPTED})}


def test_what_was_delivered_is_replayed_by_force_only() -> None:
    assert frozenset({EventState.DELIVERED}) | REPLAYABLE == REPLAYABLE_BY_FORCE


def test_every_delivery_state_is_reached_from_pending() -> None:
    reached, todo = {_D.PENDING}, [_D.PENDING]
    while todo:
        new = DELIVERY_TRANSITIONS[todo.pop()] - reached
        reached |= new
        todo += new
    assert reached == set(DeliveryState)


def test_every_open_delivery_can_be_confirmed_given_up_cancelled_and_expired() -> None:
    ends = {_D.CONFIRMED, _D.FAILED, _D.CANCELLED, _D.EXPIRED}
    assert {state for state in DELIVERY_OPEN if not ends <= DELIVERY_TRANSITIONS[state]} == set()


def test_nothing_that_has_ended_is_sent_again() -> None:
    ended = set(DeliveryState) - DELIVERY_OPEN
    assert {state for state in ended if _D.SENDING in DELIVERY_TRANSITIONS[state]} == set()


def test_only_a_late_confirmation_or_a_return_changes_a_failed_delivery() -> None:
    assert DELIVERY_TRANSITIONS[_D.FAILED] == {_D.CONFIRMED, _D.DEFERRED}


@pytest.mark.parametrize(("source", "target"), list(product(DeliveryState, DeliveryState)))
def test_may_become_is_the_table_read_backwards(source, target) -> None:
    assert (source.value in may_become(target)) == (target in DELIVERY_TRANSITIONS[source])


def test_may_become_names_the_states_in_a_fixed_order() -> None:
    assert may_become(_D.SENT) == ["sending"]
    assert may_become(_D.SENDING) == ["deferred", "pending", "unknown"]


@pytest.mark.parametrize(
    ("model", "column", "states"),
    [
        (Event, "state", EventState),
        (Event, "evidence", Evidence),
        (Delivery, "state", DeliveryState),
        (Delivery, "failure_kind", FailureKind),
        (Attempt, "outcome", AttemptOutcome),
    ],
)
def test_every_state_fits_its_column(model, column, states) -> None:
    field = model._meta.get_field(column)
    assert [value for value, _ in field.choices] == [state.value for state in states]
    assert max(len(state) for state in states) <= field.max_length


def test_no_statement_spells_a_state_by_hand() -> None:
    values = {
        str(member) for enum in (DeliveryState, EventState, Evidence, AttemptOutcome) for member in enum
    }
    by_hand = re.compile(f"'({'|'.join(sorted(values - {''}))})'|\\bchannel (=|<>) [0-9]")
    sources = [
        path for path in Path(notifications.__file__).parent.rglob("*.py") if "migrations" not in path.parts
    ]
    assert sources
    assert [(path.name, found[0]) for path in sources for found in by_hand.finditer(path.read_text())] == []
