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
    retry_scale: float = 1.0  # multiplies every wait of the retry table (notifications/retries.py)
    lease_s: int = 55  # longer than the hard time limit of a task's sends, see CELERY_TASK_TIME_LIMIT
    send_timeout_s: float = 15.0  # longest try at a provider; each channel has its own below it
    batch_budget_s: float = 25.0  # after this a batch starts no further send
    batch_size: int = 100  # deliveries for which one doorbell rings
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
    final_wait_max_s: float = 30.0  # longest `?wait=`
    telegram_per_s: int = 25  # messages of the bot; Telegram allows about 30. 0: no limits of ours at all
    breaker_share: float = 0.5  # of failed sends at which a provider's breaker opens; above 1: never
    limit_horizon_s: float = 60.0  # how far ahead a limited send may reserve its slot
    telegram_active_s: int = 600  # a chat counts as a live session for this long after a message


def current() -> Knobs:
    """Return the knobs of this process (`settings.TOCSIN`)."""
    knobs: Knobs = settings.TOCSIN
    return knobs


def names() -> list[str]:
    return [field.name for field in fields(Knobs)]
