"""From the `curl` to the toast on the page: 50 runs against the whole development system, in Chromium.

The clock starts when the curl process is started and stops when the toast is in the page's DOM. Beside it
the time of a `curl` to /healthz, the lower bound of any notification.
"""

import shutil
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
from tests.kit.development_system import System  # noqa: E402

RUNS = 50
_WATCH = """() => new MutationObserver((changes) => {
    const toast = '[data-testid=toast]';
    for (const change of changes) for (const node of change.addedNodes)
        if (node.nodeType === 1 && (node.matches(toast) || node.querySelector(toast)))
            window.toastAt = Date.now();
}).observe(document.body, {childList: true, subtree: true})"""


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
    folder = Path(tempfile.mkdtemp(prefix="tocsin-bench-"))
    folder.chmod(0o755)
    try:
        with System.started(folder / "home") as system:
            figures = run(system)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    bare = statistics.median(figures.pop("healthz"))
    for name, taken in figures.items():
        p50, worst = statistics.median(taken), max(taken)
        print(f"curl to {name}: p50 {p50:.0f} ms, max {worst:.0f} ms; {p50 / bare:.1f} × a bare curl")
    print(f"a bare curl of /healthz: p50 {bare:.0f} ms")


def run(system: System) -> dict[str, list[float]]:
    """Return the ms of all runs until the toast, until the final ack, and of a bare curl."""
    values = system.values
    browser_path = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=browser_path, args=["--no-sandbox", "--disable-background-networking"]
        )
        page = browser.new_page()
        page.goto(f"{system.url}/login/")
        page.fill("input[name=username]", "demo")
        page.fill("input[name=password]", values["DEMO_PASSWORD"])
        page.press("input[name=password]", "Enter")
        page.wait_for_selector("[data-testid=connection-state]:has-text('live')", timeout=20_000)
        page.evaluate(_WATCH)
        line = curl_line(values["PORT"], values["DEMO_API_KEY"])
        measure(page, line)
        toasts, acks = zip(*(measure(page, line) for _ in range(RUNS)), strict=True)
        floor = [_timed(["curl", "-sS", f"{system.url}/healthz"]) for _ in range(RUNS)]
        browser.close()
    return {"toast": list(toasts), "final ack": list(acks), "healthz": floor}


def _timed(command: list[str]) -> float:
    started = time.time()
    subprocess.run(command, capture_output=True, check=True)
    return (time.time() - started) * 1000


if __name__ == "__main__":
    main()
