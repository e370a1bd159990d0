"""Producers that send each event once to the stream: who reads it may die, and what it had read must not."""

import math

from tests.faults.run import scenario
from tests.faults.stage import Stage

_REPLIES = 20  # final acks of one pass of the reply streams


@scenario("L11", "stream ingress killed again and again, each new one another consumer; sent once")
def replaced_consumers(stage: Stage) -> None:
    """What a dead consumer had read is pending under a name that nobody has again, as of a replaced pod."""
    supervisor = stage.system.supervisor
    child = supervisor.children["streams"]
    named = child.command
    child.command = named[: named.index("--consumer")]
    supervisor.restart("streams", TOCSIN_CRASH="accept_before_commit:3,stream_committed_before_ack:0.1")
    once = stage.publish_to_stream(stage.scaled(6_000, 120), rate=stage.scaled(60, 10), resend_s=math.inf)
    for _ in range(stage.scaled(30, 4)):
        stage.pause(3)
        supervisor.kill("streams")
    ends = len(child.ends)
    supervisor.restart("streams", TOCSIN_CRASH="")
    stage.struck()
    stage.allow_second_finals(ends * _REPLIES)
    accepted_s = stage.until(lambda: once.done, within_s=90, what="every event is accepted")
    took_s = stage.settle()
    child.command = named
    refused = len(stage.diary.refused)
    stage.figure("ends of a consumer", ends, limit="≥ 4", holds=ends >= 4)
    stage.figure("all accepted after the last kill, s", accepted_s, limit="≤ 90", holds=accepted_s <= 90)
    stage.figure("refused", refused, limit="0", holds=not refused)
    stage.figure("all ended after the last kill, s", took_s, limit="≤ 120", holds=took_s <= 120)
