"""A network that swallows bytes: connections stand, and nothing comes through."""

import time

import httpx

from tests.faults.run import scenario
from tests.faults.stage import Stage


@scenario(
    "R3",
    "a black hole of 60 s before Redis, before Postgres, before a provider",
    proxied=("postgres", "valkey", "telegram"),
)
def black_holes(stage: Stage) -> None:
    """Calls time out, readiness names what is away, and everything recovers on its own."""
    length_s = stage.scaled(60, 18)
    rate = stage.scaled(20, 4)
    stage.publish(stage.scaled(3_600, 300), rate=rate, batch=1, senders=32)
    for name, proxy in stage.system.proxies.items():
        stage.pause(3)
        proxy.black_hole()
        started = time.monotonic()
        if name != "telegram":
            turned_s = stage.until(
                lambda name=name: not _checks(stage).get(_CHECK[name], False),
                within_s=40,
                what=f"readiness notices the black hole before {name}",
            )
            stage.figure(f"readiness turns without {name}, s", turned_s, limit="≤ 15", holds=turned_s <= 15)
        stage.pause(max(0.0, length_s - (time.monotonic() - started)))
        proxy.heal()
        stage.struck()
        back_s = stage.until(
            lambda: all(_checks(stage).get(check) for check in ("postgres", "redis", "broker")),
            within_s=60,
            what=f"readiness returns after {name}",
        )
        stage.figure(f"readiness returns with {name}, s", back_s, limit="≤ 15", holds=back_s <= 15)
    took_s = stage.settle()
    swallowed = int(rate * length_s)  # by the hole before the provider
    stage.expect_dead("outcome_unknown", at_most=swallowed)
    stage.allow_repeats(swallowed)
    slowest = max(took for _, _, took in stage.diary.answered)
    stage.figure("slowest answer to a producer, s", slowest, limit="< 15", holds=slowest < 15)
    stage.figure("all ended after the last one, s", took_s, limit="≤ 120", holds=took_s <= 120)


_CHECK = {"postgres": "postgres", "valkey": "redis"}


def _checks(stage: Stage) -> dict[str, bool]:
    """Return what /readyz says; no answer counts as nothing being well."""
    try:
        answer = httpx.get(f"{stage.system.url}/readyz", timeout=10, trust_env=False)
        return answer.json()["checks"]
    except (httpx.HTTPError, ValueError, KeyError):
        return {}
