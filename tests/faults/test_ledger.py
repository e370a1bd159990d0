"""The ledger itself: it must see what is lost, withheld, stuck, unexpected, doubled or unanswered."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.faults import ledger, report
from tests.faults.ledger import PAGE, DeadLetters, Message, Story

REF = "L1-00aa-000001"
GOOD = Story(REF, "delivered", "", 2, 2, 0, 0, 1, False)
DEAD = replace(GOOD, state="failed", code="message", via=None)
ONCE = Message(REF, "telegram:7", at=1.0)
AGAIN = Message(REF, "telegram:7", at=2.0, says_repeat=True)


def drawn(
    story: Story | None, *came: Message, acked: bool = True, submitted: bool = True, **given
) -> ledger.Ledger:
    return ledger.draw_up(
        acked=[REF] if acked else [],
        submitted=[REF] if submitted else [],
        came=came,
        stories=[story] if story else [],
        **given,
    )


def test_what_arrived_once_is_in_order():
    assert drawn(GOOD, ONCE).holds


def test_promised_and_neither_stored_nor_received_is_lost():
    assert drawn(None).lost == [REF]


def test_called_delivered_and_received_by_nobody_is_lost_even_if_it_was_never_promised():
    assert drawn(GOOD).lost == [REF]
    assert drawn(GOOD, acked=False).lost == [REF]


def test_a_dead_letter_without_a_reason_is_lost():
    assert drawn(replace(DEAD, code="")).lost == [REF]


def test_a_dead_letter_that_the_row_did_not_make_is_undelivered_whatever_its_reason():
    found = drawn(DEAD)
    assert (found.undelivered, found.unexplained, found.dead_letters) == ([REF], [REF], 1)
    assert found.ends == {REF: "failed message via None, 1 tries"}
    received = drawn(DEAD, ONCE)  # such as after an answer that was lost
    assert (received.undelivered, received.unexplained) == ([], [REF])


@pytest.mark.parametrize(
    ("expected", "holds"),
    [
        (DeadLetters("message"), True),
        (DeadLetters("recipient"), False),
        (DeadLetters("message", frozenset({REF})), True),
        (DeadLetters("message", frozenset({"L1-00aa-000002"})), False),
        (DeadLetters("message", at_most=1), True),
        (DeadLetters("message", at_most=0), False),
    ],
)
def test_a_row_expects_its_dead_letters_by_name_event_and_number(expected, holds):
    assert drawn(DEAD, expected=[expected]).holds is holds


def test_several_expectations_share_a_name():
    expected = [DeadLetters("message", at_most=0), DeadLetters("message", frozenset({REF}))]
    assert drawn(DEAD, expected=expected).holds


def test_without_an_end_or_with_a_row_that_still_rings_it_is_stuck():
    assert drawn(replace(GOOD, state="accepted")).stuck == [REF]
    assert drawn(replace(GOOD, still_rings=True), ONCE).stuck == [REF]


def test_received_and_never_sent_is_unexpected():
    assert drawn(GOOD, ONCE, submitted=False).unexpected == [REF]


def test_received_after_its_expiry_is_late():
    expiring = replace(GOOD, expires_at=datetime.fromtimestamp(100, UTC))
    assert drawn(expiring, replace(ONCE, at=101.9)).holds
    assert drawn(expiring, replace(ONCE, at=102.1)).late == [REF]


def test_a_repeat_must_be_admitted_in_the_story_and_say_so_itself():
    admitted = replace(GOOD, admitted=1, leases_expired=1, attempts=2)
    assert drawn(GOOD, ONCE, AGAIN).unflagged == [REF]
    assert drawn(admitted, ONCE, replace(ONCE, at=2.0)).unflagged == [REF]
    assert drawn(admitted, replace(AGAIN, at=0.5), ONCE).holds  # the first one was held back on its way
    flagged = drawn(admitted, ONCE, AGAIN)
    assert flagged.holds
    assert (flagged.duplicated, flagged.repeats, flagged.recovered) == ([REF], 1, 1)


def test_one_admission_flags_one_repeat():
    third = replace(AGAIN, at=3.0)
    found = drawn(replace(GOOD, admitted=1), ONCE, AGAIN, third)
    assert (found.unflagged, found.repeats) == ([REF], 2)
    assert drawn(replace(GOOD, admitted=2), ONCE, AGAIN, third).holds


def test_the_next_channel_after_an_unconfirmed_page_is_admitted_by_the_page():
    assert drawn(replace(GOOD, admitted=1), Message(REF, PAGE), ONCE).holds
    assert drawn(GOOD, Message(REF, PAGE), ONCE).unflagged == [REF]


def test_a_stored_event_has_exactly_one_final_ack_for_a_producer_that_reads_them():
    assert drawn(GOOD, ONCE, finals={REF: 1}).finals == 1
    assert drawn(GOOD, ONCE, finals={REF: 0}).unanswered == [REF]
    assert drawn(GOOD, ONCE, finals={REF: 2}).answered_twice == [REF]
    assert drawn(None, acked=False, finals={REF: 0}).holds  # never stored


@pytest.mark.parametrize("name", ledger.MUST_BE_NONE)
def test_each_of_these_fails_a_row(name):
    one = ledger.Ledger()
    assert one.holds
    setattr(one, name, [REF])
    assert not one.holds


def test_messages_are_read_by_the_id_in_the_text_and_refusals_do_not_count(tmp_path):
    log = tmp_path / "log.jsonl"
    entry = {"at_ms": 1_000, "channel": "telegram", "to": "7", "text": f"Ref: {REF}"}
    outcomes = ["accepted", "dropped_answer", "refused", "hung"]
    lines = [json.dumps(entry | {"outcome": outcome}) for outcome in outcomes]
    again = entry | {"outcome": "accepted", "text": f"You may have received this already. Ref: {REF}"}
    log.write_text("\n".join([*lines, json.dumps(again)]) + "\n")
    assert ledger.arrivals(log, "L1-00aa") == [(REF, "telegram:7", 1.0)] * 3
    assert [message.says_repeat for message in ledger.messages(log, "L1-00aa")] == [False, False, True]
    assert ledger.arrivals(log, "L1-00ab") == []


def test_the_page_is_what_the_data_says():
    assert report.PAGE.read_text() == report.page(json.loads(report.DATA.read_text()))


def line_of(*versions: int, **key: str) -> list[Story]:
    """Return stories of one key, with their places in the sequence, and ids that end with them."""
    return [
        replace(GOOD, event_id=f"{REF[:-1]}{seq}", person=1, seq=seq, version=version, **key)
        for seq, version in enumerate(versions, start=1)
    ]


def came_in(stories: list[Story], *order: int) -> ledger.Ledger:
    """Draw up the ledger of these stories, whose messages came in this order of their `seq`."""
    came = [
        Message(f"{REF[:-1]}{seq}", "telegram:7", at=float(at), says_repeat=True)
        for at, seq in enumerate(order)
    ]
    ids = [story.event_id for story in stories]
    return ledger.draw_up(acked=ids, submitted=ids, came=came, stories=stories)


@pytest.mark.parametrize(
    ("order", "overtaken"),
    [((1, 2, 3), []), ((2, 3, 1), [1]), ((3, 2, 1), [1, 2]), ((1, 3), []), ((1, 2, 1, 3), []), ((3, 1), [1])],
)
def test_what_comes_first_after_a_later_one_of_its_key_was_overtaken(order, overtaken):
    found = came_in(line_of(0, 0, 0, ordering_key="o"), *order).overtaken
    assert found == [f"{REF[:-1]}{seq}" for seq in overtaken]


@pytest.mark.parametrize(
    ("order", "stale"),
    [((1, 2), []), ((1, 3, 2), []), ((2, 3), [3]), ((1, 2, 1), [1]), ((2,), []), ((2, 1, 3), [1, 3])],
)
def test_whatever_comes_after_a_newer_state_of_its_key_is_stale(order, stale):
    """The second one is the newest."""
    found = came_in(line_of(1, 3, 2, collapse_key="c"), *order).stale_after_newer
    assert found == [f"{REF[:-1]}{seq}" for seq in stale]


def test_other_keys_and_people_are_other_lines():
    one, other = line_of(0, 0, ordering_key="o")
    assert came_in([one, replace(other, person=2)], 2, 1).overtaken == []
    assert came_in([one, replace(other, ordering_key="p")], 2, 1).overtaken == []
