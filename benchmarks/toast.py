"""From the `curl` to the toast on the page: 50 runs against the whole development system, in Chromium.

The clock starts when the curl process is started and stops when the toast is in the page's DOM. Beside it
the time of a `curl` to /healthz, which no notification can beat.
"""

import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from sandbox.system.launcher import curl_line  # noqa: E402

RUNS = 50
_WATCH = """() => new MutationObserver((changes) => {
    const toast = '[data-testid=toast]';
    for (const change of changes) for (const node of change.addedNodes)
        if (node.nodeType === 1 && (node.matches(toast) || node.querySelector(toast)))
            window.toastAt = Date.now();
}).observe(document.body, {childList: true, subtree: true})"""


def start(home: Path) -> tuple["subprocess.Popen[bytes]", dict[str, str]]:
    env = {k: v for k, v in os.environ.items() if k not in {"DATABASE_URL", "REDIS_URL"}}
    running = subprocess.Popen(
        [sys.executable, "-m", "sandbox.system"],
        cwd=ROOT,
        env=env | {"TOCSIN_HOME": str(home)},
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while not (home / "ready").exists():
        if time.monotonic() > deadline or running.poll() is not None:
            raise SystemExit("the system did not start")
        time.sleep(0.1)
    lines = (home / "dev.env").read_text().splitlines()
    return running, dict(line.split("=", 1) for line in lines)


def measure(page: Page, line: str) -> tuple[float, float]:
    """Return the ms until the toast, and until curl had its final ack."""
    page.evaluate("() => { window.toastAt = 0 }")
    started = time.time()
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True)
    acked = time.time()
    assert '"delivered_via": "WEB"' in done.stdout, done.stdout
    page.wait_for_function("() => window.toastAt > 0")
    shown = page.evaluate("() => window.toastAt")
    page.click("[data-testid=toast] button")  # CRITICAL stays until it is dismissed, and four fit
    page.wait_for_selector("[data-testid=toast]", state="detached")
    return shown - started * 1000, (acked - started) * 1000


def main() -> None:
    home = Path(tempfile.mkdtemp(prefix="tocsin-bench-"))
    home.chmod(0o755)
    running, values = start(home)
    try:
        base = f"http://127.0.0.1:{values['PORT']}"
        browser_path = shutil.which("chromium") or shutil.which("google-chrome")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=browser_path, args=["--no-sandbox", "--disable-background-networking"]
            )
            page = browser.new_page()
            page.goto(f"{base}/login/")
            page.fill("input[name=username]", "demo")
            page.fill("input[name=password]", values["DEMO_PASSWORD"])
            page.press("input[name=password]", "Enter")
            page.wait_for_selector("[data-testid=connection-state]:has-text('live')", timeout=20_000)
            page.evaluate(_WATCH)
            line = curl_line(values["PORT"], values["DEMO_API_KEY"])
            measure(page, line)
            taken = [measure(page, line) for _ in range(RUNS)]
            floor = [_timed(["curl", "-sS", f"{base}/healthz"]) for _ in range(RUNS)]
            browser.close()
        toasts, acks = zip(*taken, strict=True)
        bare = statistics.median(floor)
        for name, figures in (("toast", toasts), ("final ack", acks)):
            p50, worst = statistics.median(figures), max(figures)
            print(f"curl to {name}: p50 {p50:.0f} ms, max {worst:.0f} ms; {p50 / bare:.1f} × a bare curl")
        print(f"a bare curl of /healthz: p50 {bare:.0f} ms")
    finally:
        running.send_signal(signal.SIGINT)
        running.wait(60)
        shutil.rmtree(home, ignore_errors=True)


def _timed(command: list[str]) -> float:
    started = time.time()
    subprocess.run(command, capture_output=True, check=True)
    return (time.time() - started) * 1000


if __name__ == "__main__":
    main()
