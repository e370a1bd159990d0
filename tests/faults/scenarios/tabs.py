"""One person's browser with many tabs that share a socket: the script of the tab that has it halts."""

import shutil
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import BrowserContext, Page, sync_playwright

from tests.faults import edge
from tests.faults.run import scenario
from tests.faults.stage import Stage
from tests.kit.eventually import eventually

_TABS = 20
_HALT_MS = 12_000
_PERSON = "p0"
_CONNECT = """async (person) => {
    const { connect } = await import("/static/tocsin/tocsin.js");
    const client = (window.tocsin = connect({ url: "/ws", person }));
    window.shown = [];
    window.roles = [];
    client.on("event", (event) => void window.shown.push(event.event_id));
    client.on("role", (role) => void window.roles.push([Date.now(), role]));
}"""
_HALT = "(ms) => void setTimeout(() => { for (const end = Date.now() + ms; Date.now() < end; ); })"


class Tabs:
    """The tabs, for the ledger too: what any of them has shown was received."""

    def __init__(self, context: BrowserContext) -> None:
        self.pages = [context.new_page() for _ in range(_TABS)]
        self.shown: list[list[str]] = []

    def open(self) -> None:
        for page in self.pages:
            page.goto("/healthz")  # a page of this origin with nothing of its own
            page.evaluate(_CONNECT, _PERSON)
        for page in self.pages:
            page.wait_for_function("() => window.tocsin.state === 'live'")

    def of_role(self, role: str) -> list[Page]:
        return [page for page in self.pages if page.evaluate("() => window.tocsin.role") == role]

    def led_since(self, at: float) -> float:
        """Return after how many seconds the first tab has led that did not lead at that time."""
        roles = [entry for page in self.pages for entry in page.evaluate("() => window.roles")]
        return min(
            (ms / 1000 - at for ms, role in roles if role == "leader" and ms / 1000 > at), default=99.0
        )

    def have(self, count: int) -> bool:
        self.shown = [page.evaluate("() => window.shown") for page in self.pages]
        return all(len(set(shown)) >= count for shown in self.shown)

    @property
    def seen(self) -> set[str]:
        return {event_id for shown in self.shown for event_id in shown}

    def stop(self) -> None:
        """The browser has been closed already."""


@scenario("F4", "the leading tab's script halts, 20 tabs")
def halted_leader(stage: Stage) -> None:
    halts = stage.scaled(5, 1)
    items = stage.items(stage.scaled(600, 60))
    for item in items:
        delivery = {"priority": "CRITICAL", "channels": ["WEB"]}
        item |= {"user_id": _PERSON, "delivery": delivery, "ack_timeout_ms": 60_000}
    with _browser(stage) as context:
        tabs = Tabs(context)
        stage.clients.append(tabs)  # type: ignore[arg-type]
        tabs.open()
        producer = stage.produce(items, batch=1, rate=stage.scaled(6, 4))
        took_s = [_halt_leader(stage, tabs) for _ in range(halts)]
        producer.join(300)
        stage.struck()
        stage.until(lambda: tabs.have(len(items)), within_s=60, what="every tab has everything")
        stage.settle()
        leaders = len(tabs.of_role("leader"))
    _judge(stage, tabs, len(items))
    worst = max(took_s)
    stage.figure("leaders at the end", leaders, limit="1", holds=leaders == 1)
    stage.figure("leaders halted", halts)
    stage.figure("until another tab led, s", worst, limit="≤ 5", holds=worst <= 5)


def _judge(stage: Stage, tabs: Tabs, count: int) -> None:
    missed = sum(count - len(set(shown)) for shown in tabs.shown)
    twice = sum(sum(Counter(shown).values()) - len(set(shown)) for shown in tabs.shown)
    stage.figure("events that a tab missed", missed, limit="0", holds=not missed)
    stage.figure("events that a tab showed twice", twice, limit="0", holds=not twice)


def _halt_leader(stage: Stage, tabs: Tabs) -> float:
    """Halt the script of the leading tab for a while; return how long no other tab led."""
    [leader] = tabs.of_role("leader")
    at = time.time()
    leader.evaluate(_HALT, _HALT_MS)
    others = [page for page in tabs.pages if page is not leader]
    eventually(lambda: any(page.evaluate("() => window.tocsin.role") == "leader" for page in others), 30)
    leader.wait_for_function("() => window.tocsin.role === 'follower'", timeout=60_000)
    stage.struck()
    return tabs.led_since(at)


@contextmanager
def _browser(stage: Stage) -> Iterator[BrowserContext]:
    """Start Chromium, signed in as the person, with a process for each tab."""
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    [session] = edge.sessions(stage, _PERSON)
    with sync_playwright() as playwright:
        args = ["--no-sandbox", "--no-first-run", f"--renderer-process-limit={2 * _TABS}"]
        started = playwright.chromium.launch(executable_path=path, args=args)
        context = started.new_context(base_url=stage.system.url)
        context.add_cookies([{"name": "sessionid", "value": session, "url": stage.system.url}])
        yield context
        started.close()
