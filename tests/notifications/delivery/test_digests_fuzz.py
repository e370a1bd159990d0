"""Whatever digests, quiet hours and clocks: each event is in one message, and at a time that was wished.

The clock is that on the wall, in the nights on which it changes. What is due is judged by code that shares
nothing with the product's.
"""

from datetime import timedelta
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Min
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from notifications import store
from notifications.delivery.attempt import attempt_many
from notifications.events import EventName
from notifications.ingest import ingest
from notifications.models import Delivery, Event
from notifications.settings import pipeline_settings
from notifications.states import Channel, Priority
from notifications.store import sweep_deliveries
from runtime.redis.client import client
from tests.notifications.other_ends import unused
from tests.notifications.routing.clocks import CLOCKS, NIGHTS, QUARTER, SPANS, TIMES, quarters_of
from users.models import Digest, Hours

DIGESTS = st.one_of(
    st.fixed_dictionaries({"mode": st.just("interval"), "period_s": st.sampled_from([900, 3600, 4 * 3600])}),
    st.fixed_dictionaries({"mode": st.just("repeats"), "period_s": st.sampled_from([900, 3600])}),
    st.fixed_dictionaries({"mode": st.just("schedule"), "times": st.lists(TIMES, min_size=1, max_size=3)}),
)
EVENTS = st.lists(
    st.tuples(st.integers(0, 40), st.sampled_from(["ORDER_FILLED", "PRICE_ALERT"]), st.integers(0, 9)),
    min_size=1,
    max_size=8,
)


class _Undo(Exception):
    pass


@settings(
    max_examples=16,
    phases=[Phase.explicit, Phase.generate],  # to make an example smaller would take minutes
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(st.sampled_from(NIGHTS), DIGESTS, SPANS, EVENTS, st.sets(st.integers(0, 7), max_size=2))
def test_each_event_is_in_one_message(
    desk, ada, chat, provider, override, night, digest, quiet, events, acked
) -> None:
    override(telegram_per_s=0)
    fake = provider()
    client().flushdb()  # what an earlier example has counted
    try:
        with transaction.atomic():
            _Night(desk, ada, fake, night, digest, quiet).passes(events, acked)
            raise _Undo
    except _Undo:
        pass


class _Night:
    def __init__(self, desk, ada, fake, night, digest, quiet) -> None:
        self.desk, self.ada, self.fake, self.zone, self.evening = desk, ada, fake, *night
        self.clock, self.quiet, self.digest = CLOCKS[night], quarters_of(quiet, CLOCKS[night]), digest
        self.sent_at: dict[str, object] = {}
        ada.time_zone = self.zone
        ada.save()
        Digest.objects.create(user=ada, channel=Channel.TELEGRAM, **digest)
        for span in quiet:
            days = sorted(span.weekdays)
            Hours.objects.create(user=ada, kind="quiet", weekdays=days, starts=span.starts, ends=span.ends)

    def passes(self, events, acked) -> None:
        names = {}
        for quarter in sorted({20, *(at for at, _, _ in events)}):
            now = self.evening + quarter * QUARTER
            self.work_until(now)
            for number, (at, event_type, urgency) in enumerate(events):
                if at == quarter:
                    names[f"e{number}"] = urgency == 0
                    self.publish(f"e{number}", event_type, urgency == 0, now)
            self.work(now)
            if quarter == 20:
                self.acknowledge({f"e{number}" for number in acked} & names.keys(), now)
        self.work_until(self.evening + timedelta(days=10))
        self.check(names)

    def work_until(self, end) -> None:
        for _ in range(100):
            due = self.next_due()
            if due is None or due >= end:
                return
            self.work(due)
        raise AssertionError("a row is due again and again")

    @staticmethod
    def next_due():
        return Delivery.objects.aggregate(at=Min("ring_at"))["at"]

    def publish(self, name, event_type, urgent, now) -> None:
        priority = Priority.CRITICAL if urgent else Priority.NORMAL
        payload, at_ms = {"title": f"This is {name}."}, round(now.timestamp() * 1000)
        [ack] = ingest(
            [
                self.desk.envelope(
                    self.ada,
                    name,
                    event_type=event_type,
                    priority=priority,
                    payload=payload,
                    timestamp_ms=at_ms,
                )
            ],
            now=now,
        )
        assert ack.event_pk, (ack.code, ack.detail)

    def acknowledge(self, names, now) -> None:
        for name in sorted(names):
            store.acknowledge(self.ada.pk, EventName("exchange", name), now=now)

    def work(self, now) -> None:
        """Let two workers hear of the same rows, one after the other."""
        soon = Delivery.objects.filter(ring_at__lte=now + timedelta(seconds=5), lease_token=None)
        soon.update(ring_at=now)
        ids = [ring.delivery_id for ring in sweep_deliveries(now=now, settings=pipeline_settings()).rings]
        for mine in (ids, ids):
            list(attempt_many(mine, clock=lambda: now, run_effects=unused))
        for _, message in self.fake.sent[len(self.sent_at) :]:
            self.sent_at[message.key] = now

    def check(self, names) -> None:
        ledger = [
            (message, at) for (_, message), at in zip(self.fake.sent, self.sent_at.values(), strict=True)
        ]
        for name, urgent in names.items():
            row = Event.objects.get(event_id=name)
            said = [(message, at) for message, at in ledger if self.lists(message, row)]
            if row.code == "never_open":
                assert not said and not urgent
            elif row.acknowledged_at is None:
                assert len(said) == 1, f"{name} is in {len(said)} messages"
                assert row.state == "delivered"
            assert len(said) <= 1
            for message, at in said:
                if urgent:
                    assert at == row.accepted_at
                    assert message.key == str(row.deliveries.get().pk), "a message of its own"
                else:
                    assert at not in self.quiet
                    self.check_time(row, at)

    @staticmethod
    def lists(message, event) -> bool:
        rows = event.deliveries.all()
        return any(message.key == str(row.merged_into or row.pk) and row.state != "cancelled" for row in rows)

    def check_time(self, event, at) -> None:
        if self.digest["mode"] != "schedule":
            latest = event.accepted_at + timedelta(seconds=self.digest["period_s"])
            assert at <= latest or self.was_quiet(latest, at)
            return
        local = at.astimezone(ZoneInfo(self.zone)).time()
        on_time = local in self.digest["times"] or self.changed(at)
        assert on_time or (at - QUARTER) in self.quiet, (
            "neither a time of the schedule, nor the end of quiet hours"
        )

    def was_quiet(self, since, at) -> bool:
        return all(moment in self.quiet for moment, _ in self.clock if since <= moment < at)

    def changed(self, at) -> bool:
        zone = ZoneInfo(self.zone)
        return at.astimezone(zone).utcoffset() != (at - QUARTER).astimezone(zone).utcoffset()
