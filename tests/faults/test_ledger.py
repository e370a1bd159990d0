"""The ledger itself: it must see what is lost, stuck, unexpected and silently doubled."""

import json
from collections import Counter
from dataclasses import replace

from tests.faults import ledger, report
from tests.faults.ledger import Story

GOOD = Story("L1-00aa-000001", "delivered", "", 2, 2, False, 0, 1, False)


def drawn(
    story: Story | None, *, times: int = 1, acked: bool = True, submitted: bool = True
) -> ledger.Ledger:
    return ledger.draw_up(
        acked=[GOOD.event_id] if acked else [],
        submitted=[GOOD.event_id] if submitted else [],
        received=Counter({GOOD.event_id: times} if times else {}),
        stories=[story] if story else [],
    )


def test_what_arrived_once_is_in_order():
    assert drawn(GOOD).holds


def test_promised_and_neither_stored_nor_received_is_lost():
    assert drawn(None, times=0).lost == [GOOD.event_id]


def test_called_delivered_and_received_by_nobody_is_lost_even_if_it_was_never_promised():
    assert drawn(GOOD, times=0).lost == [GOOD.event_id]
    assert drawn(GOOD, times=0, acked=False).lost == [GOOD.event_id]


def test_a_dead_letter_with_a_reason_is_not_lost_and_one_without_is():
    dead = replace(GOOD, state="failed", code="temporary", via=None)
    assert drawn(dead, times=0).holds
    assert drawn(replace(dead, code=""), times=0).lost == [GOOD.event_id]


def test_without_an_end_or_with_a_row_that_still_rings_it_is_stuck():
    assert drawn(replace(GOOD, state="accepted"), times=0).stuck == [GOOD.event_id]
    assert drawn(replace(GOOD, still_rings=True)).stuck == [GOOD.event_id]


def test_received_and_never_sent_is_unexpected():
    assert drawn(GOOD, submitted=False).unexpected == [GOOD.event_id]


def test_a_duplicate_must_be_flagged():
    assert drawn(GOOD, times=2).unflagged == [GOOD.event_id]
    flagged = drawn(replace(GOOD, flagged=True, leases_expired=1, attempts=2), times=2)
    assert flagged.holds
    assert (flagged.duplicated, flagged.recovered) == ([GOOD.event_id], 1)


def test_arrivals_are_read_by_the_id_in_the_text_and_refusals_do_not_count(tmp_path):
    log = tmp_path / "log.jsonl"
    entry = {"at_ms": 1_000, "channel": "telegram", "to": "7", "text": f"Ref: {GOOD.event_id}"}
    outcomes = ["accepted", "dropped_answer", "refused", "hung"]
    log.write_text("".join(json.dumps(entry | {"outcome": outcome}) + "\n" for outcome in outcomes))
    assert ledger.arrivals(log, "L1-00aa") == [(GOOD.event_id, "telegram:7", 1.0)] * 2
    assert ledger.arrivals(log, "L1-00ab") == []


def test_the_page_is_what_the_data_says():
    assert report.PAGE.read_text() == report.page(json.loads(report.DATA.read_text()))
