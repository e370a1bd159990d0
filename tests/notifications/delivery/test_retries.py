"""The retry schedules: every transport declares one, and the waits follow it."""

import pytest

from notifications.delivery import retries
from notifications.states import Channel, Priority
from notifications.transports import registry


@pytest.mark.parametrize("channel", [c for c, spec in registry.channels().items() if spec.transport])
@pytest.mark.parametrize("priority", [Priority.NORMAL, Priority.CRITICAL])
def test_every_transport_has_a_schedule_that_grows(channel, priority) -> None:
    schedule = registry.spec(channel).waits_s[priority]
    assert list(schedule) == sorted(schedule)
    assert sum(schedule[: retries.QUICK_TRIES]) < 60
    assert priority is Priority.NORMAL or sum(schedule) < 10  # the next channel is near


def test_a_critical_event_on_its_last_channel_goes_on(override) -> None:
    retries_exhausted = 1 + len(retries.waits_s(Channel.TELEGRAM, Priority.NORMAL))

    def wait(priority: Priority, *, last: bool) -> float | None:
        return retries.wait_s(Channel.TELEGRAM, priority, retries_exhausted + 20, last=last)

    assert wait(Priority.CRITICAL, last=True) == retries.LAST_RESORT_S
    assert wait(Priority.CRITICAL, last=False) is None
    assert wait(Priority.NORMAL, last=True) is None


def test_the_scale_stretches_every_wait(override) -> None:
    override(retry_scale=0.5)
    assert retries.wait_s(Channel.EMAIL, Priority.NORMAL, 1, last=False) == 1.0


def test_no_try_may_take_longer_than_the_knob_allows(override) -> None:
    assert retries.timeout_s(Channel.TELEGRAM) == 5.0
    override(send_timeout_s=3.0)
    assert {retries.timeout_s(channel) for channel in Channel} == {3.0}
