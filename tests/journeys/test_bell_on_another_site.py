"""The second five minutes: a producer brings a person and words, and a page of another origin shows them.

The pages are made from the packed file of the client, without a framework, in React and in Preact.
"""

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect, sync_playwright

from tests.journeys import bell_site
from tests.kit.eventually import eventually
from tests.kit.node import CLIENT, install_packages, missing
from tests.kit.other_site import OtherSite

pytestmark = pytest.mark.browser

_QUIET = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
WORDS = {
    "title": "Version 3.2 is out",
    "body": "It is **twice as fast**: see [the notes](https://example.com/notes).",
    "url": "https://example.com/3.2",
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        missing("Chromium is missing: apt-get install chromium", "TOCSIN_REQUIRE_BROWSER")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=_QUIET)
        yield started
        started.close()


@pytest.fixture(scope="module")
def built_site(other_site: OtherSite) -> OtherSite:
    install_packages()
    bell_site.build(other_site)
    return other_site


@pytest.fixture
def chat() -> str:
    return str(4_000_000_000 + uuid.uuid4().int % 10**9)


@pytest.fixture
def alice(system, chat: str, built_site: OtherSite) -> str:
    """A person whom the producer has just brought, signed in at the other site."""
    person = f"alice-{uuid.uuid4().hex[:8]}"
    address = {"channel": "TELEGRAM", "address": chat, "verified": True}
    body = {"name": "Alice", "locale": "en", "addresses": [address]}
    system.api.put(f"/users/{person}", json=body).raise_for_status()
    bell_site.welcome(built_site, person, system.url)
    return person


@pytest.fixture
def visit(browser: Browser, built_site: OtherSite) -> Iterator[Callable[..., Page]]:
    """Open pages of the other site; nothing may go wrong in any of them."""
    problems: list[str] = []
    context = browser.new_context(base_url=built_site.url, reduced_motion="reduce")
    context.set_default_timeout(20_000)

    def note(said: ConsoleMessage) -> None:
        if said.type in {"error", "warning"} and "/favicon.ico" not in str(said.location):
            problems.append(f"{said.type}: {said.text}")

    def open_page(name: str) -> Page:
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", note)
        page.goto(f"/{name}")
        return page

    yield open_page
    context.close()
    assert problems == []


def publish(system, person: str, priority: str = "NORMAL", **fields: object) -> dict:
    words = fields.pop("content", WORDS)
    delivery = {"priority": priority}
    return system.publish(
        user_id=person, type_name="release.published", content=words, delivery=delivery, **fields
    )


def toast_of(page: Page) -> Locator:
    return page.locator("tocsin-toasts article")


def test_a_person_by_put_and_words_with_a_link_are_seen_on_another_origin(system, alice, visit) -> None:
    missed = publish(system, alice)
    assert missed["delivered_via"] == "TELEGRAM"
    page = visit("plain.html")
    bell = page.get_by_role("button", name="Notifications, 1 unread")
    expect(bell).to_be_visible()

    ack = publish(system, alice)
    assert (ack["status"], ack["delivered_via"], ack["evidence"]) == ("DELIVERED", "WEB", "CLIENT")
    expect(toast_of(page).locator("strong, a").first).to_have_attribute("href", WORDS["url"])
    expect(toast_of(page).locator("b")).to_have_text("twice as fast")
    page.get_by_role("button", name="Notifications, 2 unread").click()
    items = page.locator("tocsin-inbox li")
    expect(items).to_have_count(2)
    expect(items.first).to_have_attribute("data-event-id", ack["event_id"])
    expect(items.first.get_by_role("link", name=WORDS["title"])).to_have_attribute("href", WORDS["url"])

    page.evaluate(
        "document.querySelector('tocsin-inbox').remove()"
    )  # as a site does that signs the person out
    eventually(lambda: page.evaluate("document.querySelector('tocsin-toasts').client === null"))
    expect(toast_of(page)).to_have_count(0)


@pytest.mark.parametrize(("name", "label"), [("react", "Verstanden"), ("preact", "知道了")])
def test_got_it_in_telegram_takes_the_toast_away(system, alice, chat, visit, name: str, label: str) -> None:
    page = visit(f"{name}.html?unconfirmed")
    eventually(lambda: page.evaluate("document.querySelector('tocsin-inbox')?.client?.state") == "live", 20)
    ack = publish(system, alice, "CRITICAL", ack_timeout_ms=1_000)
    assert (ack["delivered_via"], ack["evidence"]) == ("TELEGRAM", "TRANSPORT")
    expect(toast_of(page).get_by_role("button", name=label)).to_be_visible()
    if name == "react":
        expect(page.locator("output")).to_have_text("1 of 1")
        expect(page.locator("tocsin-inbox > .own")).to_have_text(f"* {WORDS['title']}")
        expect(page).to_have_title("1")
    system.simulator.person(chat, "press", button="Got it")
    expect(toast_of(page)).to_have_count(0)
    if name == "react":
        expect(page.locator("output")).to_have_text("0 of 1")
        expect(page.locator("tocsin-inbox > .own")).to_have_text(WORDS["title"])
    eventually(lambda: system.story(ack["event_id"])["ack"]["evidence"] == "HUMAN", within_s=10)


def focused(page: Page) -> str:
    """Return the name of what has the focus, inside the component."""
    return page.evaluate(
        """() => { let at = document.activeElement;
        while (at.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
        return at.getAttribute("aria-label") ?? at.textContent; }"""
    )


def press_until(page: Page, key: str, name: str) -> None:
    for _ in range(20):
        page.keyboard.press(key)
        if focused(page) == name:
            return
    raise AssertionError(f"{name} is not reached; the focus is on {focused(page)}")


def test_every_job_is_done_by_keyboard_alone(system, alice, visit) -> None:
    page = visit("plain.html")
    page.get_by_role("button", name="Notifications, nothing unread").wait_for()
    first, second = ({"title": title, "body": "Now."} for title in ("First", "Second"))
    publish(system, alice, content=second)
    critical = publish(system, alice, "CRITICAL", content=first)
    press_until(page, "Tab", "Notifications, 2 unread")
    page.keyboard.press("Enter")
    assert focused(page) == "Notifications"
    press_until(page, "Tab", "First")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Notifications, 1 unread")).to_be_visible()
    press_until(page, "Tab", "Got it")
    page.keyboard.press("Enter")
    expect(toast_of(page).get_by_text("First")).to_have_count(0)
    eventually(lambda: system.story(critical["event_id"])["ack"]["evidence"] == "HUMAN", within_s=10)
    press_until(page, "Tab", "Archive: Second")
    page.keyboard.press("Enter")
    expect(page.locator("tocsin-inbox li")).to_have_count(1)
    expect(page.get_by_role("button", name="Notifications, nothing unread")).to_be_visible()
    page.keyboard.press("Escape")
    assert focused(page) == "Notifications, nothing unread"
    expect(page.get_by_role("dialog")).to_have_count(0)


@pytest.fixture(scope="module")
def axe() -> str:
    return (CLIENT / "node_modules/axe-core/axe.min.js").read_text()


def faults(page: Page) -> list[str]:
    """Return what axe finds in the components, of every impact, and what it could not decide."""
    found = page.evaluate("axe.run({include: [['tocsin-inbox'], ['tocsin-toasts']]})")
    assert found["passes"]
    return [f"{one['id']}: {one['nodes'][0]['html']}" for one in found["violations"]]


def too_wide(page: Page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")


def test_axe_finds_no_fault_in_light_and_dark_wide_and_narrow(
    system, alice, visit, axe, tmp_path: Path
) -> None:
    page = visit("plain.html")
    page.get_by_role("button", name="Notifications, nothing unread").wait_for()
    for priority in ("NORMAL", "CRITICAL"):
        publish(system, alice, priority)
    page.evaluate("document.querySelector('tocsin-inbox').open()")
    toast_of(page).last.get_by_role("button", name="Dismiss").focus()  # they stay while the focus is on one
    page.evaluate(axe)
    found = {}
    for scheme in ("light", "dark"):
        for width in (1280, 390):
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            page.set_viewport_size({"width": width, "height": 900})
            found[scheme, width] = faults(page), too_wide(page)
            if folder := os.environ.get("TOCSIN_SCREENSHOTS"):
                page.screenshot(path=Path(folder) / f"bell-{scheme}-{width}.png")
    assert found == dict.fromkeys(found, ([], False))
