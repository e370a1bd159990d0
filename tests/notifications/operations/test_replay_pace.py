"""The pace of replays: their first deliveries are spread over time, those of all replays together."""

from collections import Counter
from datetime import timedelta

import pytest

from notifications import store
from notifications.models import Delivery
from notifications.states import Priority


@pytest.mark.parametrize("priority", [Priority.NORMAL, Priority.CRITICAL])
def test_replays_are_paced(desk, ada, chat, replay_again, now, override, priority) -> None:
    override(replay_per_s=10)
    for number in range(25):
        desk.event(ada, event_id=f"e{number}", priority=priority)
    done = replay_again(after_s=0)
    due = Counter((row.not_before - now).total_seconds() for row in Delivery.objects.all())
    assert due == {0.0: 10, 1.0: 10, 2.0: 5}
    assert (done.count, len(done.effects.rings)) == (25, 10)
    assert done.paced_until == now + timedelta(seconds=2.5)
    waiting = Delivery.objects.filter(not_before__gt=now)
    assert [row.ring_at == row.not_before for row in waiting] == [True] * 15


def test_replays_share_one_pace(desk, ada, chat, replay_again, now, override) -> None:
    override(replay_per_s=10)
    for number in range(40):
        desk.event(ada, event_id=f"e{number}")
    replay_again(after_s=0, limit=20)
    replay_again(after_s=0, limit=20)
    due = Counter((row.not_before - now).total_seconds() for row in Delivery.objects.all())
    assert due == {0.0: 10, 1.0: 10, 2.0: 10, 3.0: 10}


def test_the_sweep_rings_for_what_waited(desk, ada, chat, replay_again, now, override) -> None:
    from notifications.settings import PipelineSettings

    override(replay_per_s=1)
    for number in range(3):
        desk.event(ada, event_id=f"e{number}")
    replay_again(after_s=0)
    found = store.sweep_deliveries(now=now + timedelta(seconds=1), settings=PipelineSettings()).rings
    late = Delivery.objects.get(not_before=now + timedelta(seconds=1))
    assert [ring.delivery_id for ring in found] == [str(late.pk)]
    assert desk.claim(late, now=now + timedelta(seconds=1)).attempt == 1
