"""Every crash point, one after the other or all in one go."""

from collections import Counter

from runtime.failpoints import POINTS
from tests.faults.judging import judge_unknown
from tests.faults.prepare import FOLLOWERS, TOPIC
from tests.faults.producers import Diary, HttpProducer
from tests.faults.run import scenario
from tests.faults.stage import Stage
from tests.faults.system import SHORT

# Which process passes a point, and at which passage it is struck: early, and not the first of many.
# "workers": in each of them.
PLACES: dict[str, tuple[str, int]] = {
    "accept_before_commit": ("web", 4),
    "accept_after_commit": ("web", 6),
    "pushed_before_record": ("web", 3),
    "ring_before_publish": ("web", 5),
    "ring_after_publish": ("web", 7),
    "broadcast_before_commit": ("web", 1),
    "broadcast_after_commit": ("web", 2),
    "fan_out_after_accept": ("workers", 1),
    "fan_out_before_advance": ("workers", 2),
    "confirm_before_commit": ("web", 1),
    "claimed_before_send": ("workers", 3),
    "sent_before_record": ("workers", 4),
    "recorded_before_effects": ("workers", 3),
    "defer_before_commit": ("workers", 2),
    "next_step_before_commit": ("workers", 1),
    "unknown_before_commit": ("control", 2),
    "sweep_postponed": ("control", 4),
    "stream_committed_before_ack": ("streams", 2),
    "stream_acked_before_xack": ("streams", 1),
    "reply_added_before_commit": ("streams", 2),
}


# What has to crash first, so that the point is passed at all: a lease must end for `unknown`.
_NEEDS = {"unknown_before_commit": ["claimed_before_send"]}
_CHATS_GONE = range(5, 13)
_REPLIES = 40  # final acks of one pass, at most all of a round's events from the stream
_PERSONS = 40  # the same few in every round: some have a socket open, some a chat that is gone


# Short leases: a round of the full size waits for what its crash has left behind. And no breaker: with a
# third of the sends failing, its own waits would be longer than those.
@scenario(
    "L5",
    f"each of the {len(POINTS)} crash points",
    mixed=True,
    **SHORT.environment,
    TOCSIN_BREAKER_SHARE="2",
)
def crash_everywhere(stage: Stage) -> None:
    """Full: 200 events for each point alone. Short: all points in one run of 200 events."""
    stage.system.crash_log.unlink(missing_ok=True)
    clients = stage.open_sockets(4)
    if stage.full:
        for point in POINTS:
            _round(stage, [point, *_NEEDS.get(point, [])])
            _disarm(stage)
    else:
        _round(stage, list(POINTS))
    clients.stop()
    stage.struck()
    took_s = stage.settle()
    _topics_hold(stage)
    never = sorted(POINTS.keys() - _struck(stage).keys())
    struck = len(POINTS) - len(never)
    stage.figure("crash points struck", struck, limit=f"{len(POINTS)}", holds=not never)
    if never:
        stage.figure("never reached", ", ".join(never), holds=False)
    stage.figure("all ended after the last event, s", took_s, limit="≤ 120", holds=took_s <= 120)
    crashes = sum(_struck(stage).values())
    judge_unknown(stage, crashes * stage.sends_in_flight(workers=1))
    _enable_chats(stage)  # other rows may follow on the same system
    streams_ended = sum(_struck(stage)[point] for point in PLACES if PLACES[point][0] == "streams")
    stage.allow_second_finals(streams_ended * _REPLIES)


def _round(stage: Stage, points: list[str], count: int = 200) -> None:
    """Arm the processes, send events that pass every kind of place, and let what was armed crash once."""
    system = stage.system
    orders: dict[str, list[str]] = {}
    for point in points:
        name, passage = PLACES[point]
        for process in system.workers if name == "workers" else [name]:
            orders.setdefault(process, []).append(f"{point}:{passage}")
    before = _struck(stage)
    at_most = 1 + max(before[point] for point in points)
    for name, parts in orders.items():
        system.supervisor.restart(name, TOCSIN_CRASH=",".join(parts), TOCSIN_CRASH_AT_MOST=str(at_most))
    system.until_ready()
    stage.until(stage.clients[0].all_open, within_s=20, what="every socket is open again")
    # Some first tries fail for a passing reason, and some mailboxes are gone: every branch is walked.
    system.simulator.misbehave("telegram", status=502, rate=0.3, times=count // 10, seed=1)
    # So many that a crash may swallow some of these answers: every second person has a next channel.
    for chat in [f"{10_000 + number}" for number in _CHATS_GONE]:
        system.simulator.also_misbehave("telegram", error="blocked", match=chat, times=1)
    items = stage.items(count)
    for number, item in enumerate(items):
        item["user_id"] = f"p{number % _PERSONS}"
    _expect_dead(stage, items)
    on_stream = count // 5
    rate = stage.scaled(40, 20)
    producer = stage.produce(items[on_stream:], rate=rate, batch=1)
    stream = stage.produce_to_stream(items[:on_stream], rate=rate / 4)
    for running in (producer, stream, _to_topic(stage, 20)):
        running.join(120)
    stage.struck()


def _expect_dead(stage: Stage, items: list[dict]) -> None:
    """Expect dead letters for those persons alone whose chat is gone and who have no mailbox."""
    unreachable = {f"p{number}" for number in _CHATS_GONE if number % 2 == 0}
    ids = [item["event_id"] for item in items if item["user_id"] in unreachable]
    stage.expect_dead("recipient", ids)  # by the send that found it out
    stage.expect_dead("message", ids)  # found disabled at its turn
    stage.expect_dead("no_channel", ids)  # accepted later


def _disarm(stage: Stage) -> None:
    """Wait until the round's events have ended, which is when its points are passed at the latest."""
    stage.settle(within_s=60)
    for name, child in stage.system.supervisor.children.items():
        if child.environment.get("TOCSIN_CRASH"):
            stage.system.supervisor.restart(name, TOCSIN_CRASH="", TOCSIN_CRASH_AT_MOST="")
    _enable_chats(stage)


def _enable_chats(stage: Stage) -> None:
    """A chat that was gone is disabled: the next round needs it again."""
    stage.system.execute(
        "UPDATE users_destination SET disabled_at = NULL, disabled_reason = '' WHERE disabled_at IS NOT NULL"
    )


def _struck(stage: Stage) -> "Counter[str]":
    """Return how often each point was struck."""
    log = stage.system.crash_log
    return Counter(line.split()[0] for line in log.read_text().splitlines()) if log.exists() else Counter()


def _to_topic(stage: Stage, count: int) -> HttpProducer:
    """Publish to a topic whose followers have no address: what counts is that each has every event once."""
    items = [
        {**item, "user_id": None, "topic": TOPIC, "event_id": f"topic-{item['event_id']}", "payload": {}}
        for item in stage.items(count, priority="NORMAL")
    ]
    return HttpProducer(
        stage.system.url, stage.system.api_key, items, diary=Diary(), rate=10, batch=1
    ).start()


def _topics_hold(stage: Stage) -> None:
    """Every event to the topic has ended, and each follower has each of them once."""
    ended = "SELECT count(*), count(*) FILTER (WHERE final_at IS NOT NULL) FROM notifications_broadcast"
    stage.until(lambda: len(set(stage.system.query(ended)[0])) == 1, within_s=120, what="topic events end")
    sent = stage.system.query(ended)[0][0]
    told = stage.system.query(
        "SELECT count(*), count(DISTINCT (broadcast_id, person_id)) FROM notifications_event"
        " WHERE broadcast_id IS NOT NULL"
    )[0]
    holds = sent > 0 and told == (sent * FOLLOWERS, sent * FOLLOWERS)
    stage.figure("followers told of topic events", told[0], limit=str(sent * FOLLOWERS), holds=holds)
