"""What anybody can do to the gateway who can connect to it and has no key."""

import contextlib
import math
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil

from config.env import ROOT
from tests.faults.edge import port_of
from tests.faults.run import scenario
from tests.faults.stage import Stage

_MIB = 1024 * 1024


@scenario("S1", "endless and slow bodies, silent sockets, wrong passwords, without a key")
def bear_strangers(stage: Stage) -> None:
    child = stage.system.supervisor.children["web"]
    assert child.process is not None
    process = psutil.Process(child.process.pid)
    stage.publish(stage.scaled(500, 60), rate=30, batch=1).join(60)
    for _ in range(20):
        httpx.get(f"{stage.system.url}/login/", trust_env=False)
    calm = highest = process.memory_info().rss
    with _strangers(stage) as attempts:
        stage.pause(2)
        since = time.time()
        honest = stage.publish(stage.scaled(6_000, 240), rate=stage.scaled(50, 20), batch=1)
        while not honest.done and time.time() - since < stage.scaled(300, 60):
            highest = max(highest, process.memory_info().rss)
            stage.pause(0.1)
        files = [one.path for one in process.open_files() if str(stage.system.home) not in one.path]
        tried = int(attempts.read_text().split()[-1])
    stage.settle()
    grown = (highest - calm) / _MIB
    took = sorted(seconds for at, _, seconds in stage.diary.answered if at >= since)
    p99_s = took[math.ceil(len(took) * 0.99) - 1] if took else math.inf
    stage.figure("attempts of strangers", tried, limit="≥ 100", holds=tried >= 100)
    stage.figure("memory of the gateway, MiB more", grown, limit="≤ 16", holds=grown <= 16)
    stage.figure("honest publish, p99 s", f"{p99_s:.3f}", limit="< 1", holds=p99_s < 1)
    stage.figure("files of bodies", len(files), limit="0", holds=not files)


@contextlib.contextmanager
def _strangers(stage: Stage) -> Iterator[Path]:
    """Let strangers try all of it while the block runs; yield the file of their attempts."""
    log = stage.system.home / "logs" / "strangers.log"
    words = [sys.executable, "-m", "tests.faults.strangers", str(port_of(stage)), str(stage.scaled(4, 1))]
    with log.open("wb") as output:
        process = subprocess.Popen(words, cwd=ROOT, stdout=output)
    try:
        stage.until(lambda: log.stat().st_size, within_s=20, what="the strangers are there")
        yield log
    finally:
        process.kill()
        process.wait(10)
