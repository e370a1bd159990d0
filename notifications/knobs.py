"""The numbers that an operator may turn, in one frozen place. Units are in the names."""

from dataclasses import dataclass, fields

from django.conf import settings


@dataclass(frozen=True, slots=True)
class Knobs:
    ack_timeout_ms: int = 5_000  # a client confirms a frame within this, else the next channel rings
    ack_timeout_max_ms: int = 300_000  # what a producer may ask for at most
    expiry_normal_s: int = 24 * 3600  # an event without `expires_at` ends after this
    expiry_critical_s: int = 72 * 3600
    future_skew_s: int = 300  # how far ahead a producer's clock may run
    max_tries: int = 2_000  # of one delivery: ends what no schedule ends, such as a row that kills workers
    retry_scale: float = 1.0  # multiplies every wait of the channels' retry schedules
    lease_s: int = 55  # longer than the hard time limit of a task's sends, see CELERY_TASK_TIME_LIMIT
    send_timeout_s: float = 15.0  # longest try at a provider; each channel has its own below it
    batch_budget_s: float = 25.0  # after this a batch starts no further send
    batch_size: int = 100  # deliveries for which one doorbell rings
    slow_send_s: float = 1.0  # after this a worker leaves a send to its recorder thread, and goes on
    send_concurrency: int = 20  # sends in flight per channel and worker process
    countdown_max_s: float = 60.0  # longest wait that a doorbell carries; 0: the sweep rings after all waits
    unknown_backoff_s: float = 10.0  # before the one flagged repeat of a send whose answer was lost
    ring_again_s: float = 60.0  # the sweep rings once more for a row that nobody took
    replay_per_s: float = 20.0  # first deliveries that all replays together start in a second
    sweep_limit: int = 500  # rows that one sweep takes
    fan_out_chunk: int = 500  # persons who get an event to a topic in one task
    canary_max_age_s: float = 60.0  # a queue through which no task came for this long is not well
    heartbeat_critical_age_s: float = 900.0  # no heartbeat while a CRITICAL event waits longer for its end
    auth_within_s: float = 5.0  # a socket without a browser session sends its token within this
    socket_frames_per_s: int = 20  # of one client; above it and its burst the socket is closed
    socket_frames_burst: int = 40
    flood_pause_s: float = 10.0  # who was closed for that and comes back sooner waits for 50 to 100 % of it
    socket_buffer_bytes: int = 32 * 1024  # written and not taken by the client: above it events wait
    ping_every_s: float = 12.0  # with `pong_within_s` and the close: a dead client is gone within 35 s
    pong_within_s: float = 16.0  # the answer to the ping itself; what else a client writes does not count
    socket_life_s: float = 3_600.0  # a socket is asked to connect again after 90 to 100 % of this
    reconnect_within_s: float = 5.0  # clients of a process that ends come back spread over this
    drain_s: float = 5.0  # a process that ends closes its sockets within this
    sockets_per_person: int = 10  # open at once; the next one is refused
    sockets_per_address: int = 50  # from one IPv4 address or IPv6 /64 network; 0: no limit
    sockets_unauthenticated: int = 100  # of one process, until they have signed in
    accept_per_s: float = 150.0  # sockets that one process takes in a second
    accept_burst: int = 50  # taken at once before that pace counts
    accept_wait_s: float = 3.0  # how long a socket waits for its turn; beyond that it is sent away
    recheck_s: float = 30.0  # a socket's right to be open is looked up again after this, to 1.5 times this
    ticket_s: int = 30  # a ticket is good for so long
    ticket_session_s: int = 3_600  # a socket by an API key's ticket ends after this, unless it is renewed
    final_wait_max_s: float = 30.0  # longest `?wait=`
    telegram_per_s: int = 25  # messages of the bot; Telegram allows about 30. 0: no limits of bot and chats
    breaker_share: float = 0.5  # of failed sends at which a provider's breaker opens; above 1: never
    limit_horizon_s: float = 60.0  # how far ahead a limited send may reserve its slot
    limit_horizon_normal_s: float = 4.0  # the same for NORMAL: CRITICAL waits for no more than this of it
    window_frames: int = 64  # unconfirmed events on one socket; what comes then waits in Postgres
    window_bytes: int = 262_144  # the same in bytes of frames
    slow_close_s: float = 30.0  # a socket whose window is full and that confirms nothing is closed after this
    resume_max_events: int = 3_000  # a client that missed more gets a snapshot of the inbox
    resync_s: float = 15.0  # a socket compares its seq with Postgres after this, to twice this
    telegram_active_s: int = 600  # a chat counts as a live session for this long after a message


def current() -> Knobs:
    """Return the knobs of this process (`settings.TOCSIN`)."""
    knobs: Knobs = settings.TOCSIN
    return knobs


def names() -> list[str]:
    return [field.name for field in fields(Knobs)]
