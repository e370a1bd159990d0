"""Many at once: real threads with connections of their own."""

import random
from collections import Counter
from functools import partial

import pytest
from django.db import connection, transaction

from notifications import store
from notifications.models import Delivery, Event, InboxCursor
from notifications.settings import PipelineSettings
from notifications.states import Channel
from tests.notifications.desk import claim

pytestmark = pytest.mark.django_db(transaction=True)

THREADS = 8


@pytest.fixture
def people(desk):
    return [desk.person(f"person{number}") for number in range(4)]


def run_batches(batches, now):
    return [answer for batch in batches for answer in store.accept(batch, now=now)]


def assert_gap_free(people) -> None:
    for person in people:
        seqs = list(Event.objects.filter(person=person).order_by("seq").values_list("seq", flat=True))
        assert seqs == list(range(1, len(seqs) + 1))
        assert InboxCursor.objects.get(person=person).last_seq == len(seqs)


def test_every_person_has_seqs_without_gaps_when_many_accept_at_once(desk, people, now, side_by_side) -> None:
    chance = random.Random(7)
    todo = [
        [
            [desk.acceptance(chance.choice(people), f"{thread}-{batch}-{item}") for item in range(8)]
            for batch in range(12)
        ]
        for thread in range(THREADS)
    ]
    answers = side_by_side(*(partial(run_batches, batches, now) for batches in todo))
    assert Counter(answer.kind for found in answers for answer in found) == {"accepted": THREADS * 12 * 8}
    assert_gap_free(people)


def test_an_event_that_everybody_sends_is_accepted_once(desk, people, now, side_by_side) -> None:
    batches = [
        [desk.acceptance(people[item % 4], f"{batch}-{item}") for item in range(6)] for batch in range(10)
    ]
    answers = side_by_side(*(partial(run_batches, batches, now) for _ in range(THREADS)))
    kinds = Counter(answer.kind for found in answers for answer in found)
    assert kinds == {"accepted": 60, "duplicate": 60 * (THREADS - 1)}
    assert_gap_free(people)


def test_seq_order_is_commit_order(desk, people, now, side_by_side) -> None:
    """A reader that has seen n will never find a smaller one appear later."""
    [person, *_] = people
    writers = [
        partial(run_batches, [[desk.acceptance(person, f"{thread}-{n}")] for n in range(40)], now)
        for thread in range(4)
    ]

    def watch():
        seen = []
        while not seen or len(seen[-1]) < 160:
            seen.append(list(Event.objects.order_by("seq").values_list("seq", flat=True)))
        return seen

    *_, seen = side_by_side(*writers, watch)
    assert [found for found in seen if found != list(range(1, len(found) + 1))] == []


def test_one_id_raced_for_two_persons_belongs_to_one_of_them(desk, people, now, side_by_side) -> None:
    ada, bob, *_ = people
    answers = side_by_side(
        *(
            partial(run_batches, [[desk.acceptance(person, f"e{n}")] for n in range(40)], now)
            for person in (ada, bob)
        )
    )
    for one, two in zip(*answers, strict=True):
        assert {one.kind, two.kind} == {"accepted", "conflict"}
        assert one.event_pk == two.event_pk
    assert Event.objects.count() == 40
    assert_gap_free([person for person in people if person.events.exists()])


def test_ids_raced_for_two_persons_in_opposite_order_end_without_an_error(
    desk, people, now, side_by_side
) -> None:
    ada, bob, *_ = people
    for turn in range(2):
        ids = [f"{turn}-{number}" for number in range(1000)]
        one = [desk.acceptance(ada, event_id) for event_id in ids]
        two = [desk.acceptance(bob, event_id) for event_id in reversed(ids)]
        side_by_side(partial(run_batches, [one], now), partial(run_batches, [two], now))
    assert Event.objects.count() == 2000
    assert_gap_free([person for person in people if person.events.exists()])


def test_persons_who_are_met_for_the_first_time_do_not_deadlock(desk, now, side_by_side) -> None:
    chance = random.Random(11)
    people = [desk.person(f"new{number}") for number in range(60)]

    def batches(thread):
        return [
            [desk.acceptance(person, f"{thread}-{batch}-{person.pk}") for person in chance.sample(people, 12)]
            for batch in range(6)
        ]

    todo = [batches(thread) for thread in range(THREADS)]
    side_by_side(*(partial(run_batches, found, now) for found in todo))
    assert_gap_free(people)


def test_a_row_is_claimed_by_one_of_many(desk, people, now, side_by_side) -> None:
    [person, *_] = people
    chat = desk.address(person, Channel.TELEGRAM)
    ids = [
        answer.delivery_id
        for answer in store.accept([desk.acceptance(person, f"e{n}", chat) for n in range(60)], now=now)
    ]

    def claim_all(order):
        return claim(order, now=now)

    orders = [ids, ids[::-1]] * (THREADS // 2)
    won = side_by_side(*(partial(claim_all, order) for order in orders))
    claimed = [item.delivery_id for found in won for item in found]
    assert sorted(claimed) == sorted(set(claimed))
    assert set(Delivery.objects.values_list("attempts", flat=True)) <= {0, 1}
    assert Delivery.objects.filter(state="sending").count() == len(claimed) > 0


def test_a_claim_passes_over_a_row_that_another_is_just_claiming(desk, people, now, side_by_side) -> None:
    [person, *_] = people
    chat = desk.address(person, Channel.TELEGRAM)
    row = desk.delivery(desk.event(person, chat))

    def claim_it():
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '3s'")
            return claim([str(row.pk)], now=now)

    with transaction.atomic():
        desk.claim(row)
        assert side_by_side(claim_it) == [[]]
    row.refresh_from_db()
    assert row.attempts == 1


def test_two_sweeps_side_by_side_take_different_rows(desk, people, now, side_by_side) -> None:
    [person, *_] = people
    chat = desk.address(person, Channel.TELEGRAM)
    store.accept([desk.acceptance(person, f"e{n}", chat) for n in range(100)], now=now)
    Delivery.objects.update(ring_at=now)

    def sweep():
        return [
            ring.delivery_id for ring in store.sweep_deliveries(now=now, settings=PipelineSettings()).rings
        ]

    found = side_by_side(*[sweep] * 4)
    rung = [pk for ids in found for pk in ids]
    assert sorted(rung) == sorted(str(pk) for pk in Delivery.objects.values_list("pk", flat=True))


def test_a_sweep_leaves_rows_alone_that_another_has_locked(desk, people, now, side_by_side) -> None:
    [person, *_] = people
    chat = desk.address(person, Channel.TELEGRAM)
    first, second = (
        answer.delivery_id
        for answer in store.accept([desk.acceptance(person, f"e{n}", chat) for n in range(2)], now=now)
    )
    Delivery.objects.update(ring_at=now)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM notifications_delivery WHERE id = %s FOR UPDATE", [first])
        [effects] = side_by_side(lambda: store.sweep_deliveries(now=now, settings=PipelineSettings()))
    assert [ring.delivery_id for ring in effects.rings] == [second]


def test_pushes_and_confirmations_of_the_same_events_do_not_deadlock(desk, people, now, side_by_side) -> None:
    [person, *_] = people
    for turn in range(4):
        names = [f"{turn}-{number}" for number in range(1000)]
        answers = store.accept([desk.acceptance(person, name, None) for name in names], now=now)
        pushes = [store.Success(answer.delivery_id, answer.token, now, now) for answer in reversed(answers)]
        side_by_side(
            partial(store.record_pushed, pushes, [now] * len(pushes)),
            partial(store.confirm, [(person.pk, name) for name in names], now=now),
        )
    assert set(Delivery.objects.values_list("state", flat=True)) == {"confirmed"}
    assert set(Event.objects.values_list("state", flat=True)) == {"delivered"}
