"""The pipeline's settings. Units are in the names."""

from dataclasses import dataclass

from django.conf import settings

from runtime.settings import setting


@dataclass(frozen=True, slots=True)
class PipelineSettings:
    """What `TOCSIN_<NAME>` may override; for one test: `replace(pipeline_settings(), batch_size=5)`."""

    ack_timeout_ms: int = setting(
        5_000, "a client must confirm a frame within this; then the next channel is tried"
    )
    expiry_normal_s: int = setting(24 * 3600, "a NORMAL event without `expires_at` expires after this")
    expiry_critical_s: int = setting(72 * 3600, "a CRITICAL event without `expires_at` expires after this")
    telegram_per_s: int = setting(
        25, "messages of the bot per second; Telegram allows about 30. 0: no rate limit of ours on Telegram"
    )
    breaker_share: float = setting(
        0.5, "share of failed sends at which a provider's circuit breaker opens; above 1: never"
    )
    send_concurrency: int = setting(20, "sends in flight per channel and worker process")
    send_timeout_s: float = setting(15.0, "longest attempt at a provider; each channel has its own below it")
    lease_s: int = setting(55, "a worker's lease on a delivery; longer than `CELERY_TASK_TIME_LIMIT`")
    open_rows_max: int = setting(
        200_000,
        "open deliveries above which NORMAL events are refused as `overloaded`; CRITICAL ones are above ten"
        " times as many. 0: no bound",
    )
    replay_per_s: float = setting(20.0, "first deliveries per second that all replays together start")
    canary_max_age_s: float = setting(
        60.0, "a queue is unhealthy when no canary task has passed through it for this long"
    )
    heartbeat_critical_age_s: float = setting(
        900.0, "no heartbeat while a CRITICAL event has been waiting longer than this for its end"
    )
    resume_max_events: int = setting(
        3_000, "a client that missed more events gets a snapshot of the inbox instead"
    )
    retry_scale: float = setting(1.0, "multiplies every wait of the retry schedules", tuning=True)
    rechecks_per_minute: int = setting(
        60, "destinations that were refused and are enabled again, on trial, per minute; 0: none", tuning=True
    )
    max_tries: int = setting(
        2_000,
        "attempts of one delivery; ends what no schedule ends, such as a row that kills workers",
        tuning=True,
    )
    batch_size: int = setting(100, "deliveries per doorbell", tuning=True)
    batch_budget_s: float = setting(25.0, "a batch starts no further send after this", tuning=True)
    slow_send_s: float = setting(
        1.0, "a worker hands a send that takes longer to its recorder thread and goes on", tuning=True
    )
    countdown_max_s: float = setting(
        60.0,
        "longest wait of a doorbell in the broker (RabbitMQ: 0); the sweep rings after longer ones",
        tuning=True,
    )
    unknown_backoff_s: float = setting(
        10.0, "wait before the one flagged repeat of a send whose outcome is unknown", tuning=True
    )
    ring_again_s: float = setting(60.0, "the sweep rings again for a row that no worker took", tuning=True)
    sweep_limit: int = setting(5_000, "rows that one sweep handles at most", tuning=True)
    sweep_slow_s: float = setting(0.5, "a sweep that takes longer is logged as `sweep_slow`", tuning=True)
    fan_out_chunk: int = setting(500, "recipients per task of an event to a topic", tuning=True)


def pipeline_settings() -> PipelineSettings:
    """Return the pipeline's settings in this process (`settings.TOCSIN`)."""
    current: PipelineSettings = settings.TOCSIN
    return current
