"""The answer to COMMIT is lost between Postgres and an ingress."""

from urllib.parse import urlsplit

from tests.faults.proxy import HOST, Proxy
from tests.faults.run import scenario
from tests.faults.stage import Stage

_CUTTING_S, _WHOLE_S = 0.3, 0.7


@scenario("L10", "the answer to COMMIT cut, on each ingress")
def cut_answers_to_commit(stage: Stage) -> None:
    proxy = _before_the_ingresses(stage)
    try:
        single = stage.publish(stage.scaled(6_000, 120), rate=stage.scaled(100, 30), batch=1)
        batches = stage.publish(stage.scaled(10_000, 200), rate=stage.scaled(150, 50), batch=5)
        stream = stage.publish_to_stream(stage.scaled(4_000, 80), rate=stage.scaled(60, 20))
        while not (single.done and batches.done and stream.done) and proxy.cuts < stage.scaled(2_000, 200):
            proxy.cut_answer_to = b"COMMIT"
            stage.pause(_CUTTING_S)
            proxy.heal()
            stage.pause(_WHOLE_S)
        stage.struck()
        stage.settle()
    finally:
        _restart_ingresses(stage, stage.system.environment["DATABASE_URL"])
        proxy.close()
    diary = stage.diary
    wrong, unknown = diary.wrongly_nothing, diary.codes["commit_unknown"]
    least = stage.scaled(100, 5)
    stage.figure("answers cut", proxy.cuts, limit=f"≥ {least}", holds=proxy.cuts >= least)
    stage.figure("told that it is not known", unknown, limit="≥ 1", holds=unknown >= 1)
    stage.figure("told nothing, and accepted", len(wrong), limit="0", holds=not wrong)
    repeated = diary.acks["duplicate"]
    stage.figure("sent again and answered as duplicates", repeated, limit="≥ 1", holds=repeated >= 1)
    late = diary.without_retry_after
    stage.figure("503 without Retry-After", late, limit="0", holds=not late)


def _before_the_ingresses(stage: Stage) -> Proxy:
    """Put a proxy between Postgres and the ingresses alone."""
    proxy = Proxy(stage.system.postgres.port)
    there = urlsplit(stage.system.environment["DATABASE_URL"])
    login = there.netloc.rpartition("@")[0]
    url = there._replace(netloc=f"{login}@{HOST}:{proxy.port}").geturl()
    _restart_ingresses(stage, url)
    return proxy


def _restart_ingresses(stage: Stage, url: str) -> None:
    for name in ("web", "streams"):
        stage.system.supervisor.restart(name, DATABASE_URL=url)
    stage.system.until_ready()
