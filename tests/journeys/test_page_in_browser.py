"""The first five minutes in a real browser: what a person sees when they do what the start has printed."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

from sandbox.system.launcher import curl_line

pytestmark = pytest.mark.browser

_MISSING = "Chromium is missing: apt-get install chromium"
_QUIET = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        if os.environ.get("TOCSIN_REQUIRE_BROWSER") == "1":
            pytest.fail(_MISSING)
        pytest.skip(_MISSING)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=[*_QUIET, "--no-first-run"])
        yield started
        started.close()


@pytest.fixture
def problems() -> list[str]:
    """What went wrong in any page."""
    return []


@pytest.fixture
def sign_in(browser, system, problems) -> Iterator[Callable[[], Page]]:
    """Open pages of one signed-in browser; at the end, nothing may have gone wrong in any of them."""
    context = browser.new_context(base_url=system.url)
    context.on("page", lambda page: _watch(page, system.url, problems))

    def open_page() -> Page:
        page = context.new_page()
        page.goto("/")
        if page.url.endswith("/login/?next=/"):
            page.get_by_label("Username").fill("demo")
            page.get_by_label("Password").fill(system.values["DEMO_PASSWORD"])
            page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_test_id("connection-state")).to_have_attribute("data-state", "live")
        return page

    yield open_page
    context.close()
    assert problems == []


def _watch(page: Page, origin: str, problems: list[str]) -> None:
    def note_console(said: ConsoleMessage) -> None:
        if said.type in {"error", "warning"}:
            problems.append(f"{said.type}: {said.text}")

    def note_foreign(request: Request) -> None:
        if not request.url.startswith((f"{origin}/", "data:", "blob:")):
            problems.append(f"foreign: {request.url}")

    page.on("pageerror", lambda error: problems.append(f"error: {error}"))
    page.on("console", note_console)
    page.on("request", note_foreign)


def paste_curl_line(system) -> "subprocess.Popen[str]":
    line = curl_line(system.values["PORT"], system.values["DEMO_API_KEY"])
    return subprocess.Popen(["sh", "-c", line], stdout=subprocess.PIPE, text=True)


def test_the_curl_line_makes_a_toast_within_a_second(system, sign_in):
    page = sign_in()
    unread = int(page.get_by_test_id("unread-count").get_attribute("data-count") or 0)
    began = time.monotonic()
    curl = paste_curl_line(system)
    expect(page.get_by_test_id("toast")).to_have_count(1)
    took_s = time.monotonic() - began
    ack, _ = curl.communicate()
    assert '"delivered_via": "WEB", "evidence": "CLIENT"' in ack
    assert took_s < 1

    expect(page.get_by_test_id("unread-count")).to_have_attribute("data-count", str(unread + 1))
    card = page.get_by_test_id("timeline-card").first
    expect(card).to_have_attribute("data-state", "delivered")
    expect(card).to_contain_text("DELIVERED via WEB - CLIENT")
    expect(page.get_by_test_id("provider-entry")).to_have_count(0)


@pytest.mark.parametrize("width", [1600, 1100, 400])
def test_the_price_in_the_inbox_can_be_read(system, sign_in, width: int):
    page = sign_in()
    page.set_viewport_size({"width": width, "height": 900})
    paste_curl_line(system).communicate()
    title = page.get_by_test_id("inbox-item").first.locator(".item-title")
    expect(title).to_contain_text("64,250.00")
    assert title.evaluate("it => it.scrollWidth <= it.clientWidth && it.scrollHeight <= it.clientHeight + 1")


def test_two_tabs_both_show_it(system, sign_in):
    tabs = [sign_in(), sign_in()]
    paste_curl_line(system).communicate()
    for tab in tabs:
        tab.bring_to_front()
        expect(tab.get_by_test_id("toast")).to_have_count(1)


def test_without_confirmation_the_timeline_shows_the_fall_to_telegram(system, sign_in):
    page = sign_in()
    page.get_by_test_id("auto-confirm").uncheck()
    page.get_by_test_id("send-CRITICAL").click()
    card = page.get_by_test_id("timeline-card").first
    expect(card).to_contain_text("DELIVERED via TELEGRAM - TRANSPORT", timeout=15_000)
    kinds = [step.get_attribute("data-kind") for step in card.get_by_test_id("timeline-step").all()]
    assert kinds.index("pushed") < kinds.index("unconfirmed") < kinds.index("sent") < kinds.index("final")
    entry = page.get_by_test_id("provider-entry")
    expect(entry).to_have_count(1)
    expect(entry).to_have_attribute("data-channel", "telegram")
    expect(page.get_by_test_id("producer-ack")).to_contain_text("TELEGRAM")


def test_with_a_dead_chat_it_falls_on_to_the_mailbox(system, sign_in):
    page = sign_in()
    page.get_by_test_id("auto-confirm").uncheck()
    page.get_by_test_id("telegram-mode").select_option("chat_not_found")
    expect(page.get_by_test_id("telegram-mode")).to_have_attribute("data-mode", "chat_not_found")
    page.get_by_test_id("send-CRITICAL").click()
    card = page.get_by_test_id("timeline-card").first
    expect(card).to_contain_text("DELIVERED via EMAIL - TRANSPORT", timeout=15_000)
    expect(page.get_by_test_id("provider-entry").first).to_have_attribute("data-channel", "smtp")


def test_an_operator_words_a_message_sees_it_on_every_channel_and_publishes_it(system, sign_in):
    page = sign_in()
    page.set_viewport_size({"width": 1024, "height": 900})
    page.goto("/admin/notifications/messagetemplate/add/")
    page.get_by_label("Event type").fill("BACKTEST_COMPLETED")
    page.get_by_role("button", name="Save", exact=True).click()

    shown = {name: page.locator(f"[data-channel={name}]") for name in ("WEB", "TELEGRAM", "EMAIL")}
    mail = shown["EMAIL"].frame_locator("iframe").get_by_role("heading")
    expect(mail).to_contain_text("Backtest")
    page.get_by_label("Title").fill("{{ payload.symbol }} <b>done</b>")
    for card in (shown["WEB"], shown["TELEGRAM"].locator("b").first, mail):
        expect(card).to_contain_text("BTC/USDT <b>done</b>")
    page.get_by_label("Title").press_sequentially("{{ payload.secret|safe }}")
    expect(page.locator("[data-findings]")).to_contain_text("Invalid filter: 'safe'")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")

    page.get_by_label("Title").fill("Tested {{ payload.symbol }}")
    destinations = page.get_by_label("Destination")
    destinations.select_option(label=destinations.locator("option", has_text="Telegram").inner_text())
    page.get_by_role("button", name="Send test").click()
    expect(page.get_by_role("status")).to_have_text("Sent: Telegram accepted it.")

    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_text("Version 1 in use")).to_be_visible()
    page.goto("/")
    expect(page.get_by_test_id("connection-state")).to_have_attribute("data-state", "live")
    system.publish(event_type="BACKTEST_COMPLETED", payload={"symbol": "ETH/USDT"})
    expect(page.get_by_test_id("toast").first).to_contain_text("Tested ETH/USDT")
    expect(page.get_by_test_id("timeline-card").first).to_contain_text("BACKTEST_COMPLETED, version 1")


def test_signing_out_ends_the_live_session(system, sign_in, problems):
    page = sign_in()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/login/**")
    ack = system.publish()
    assert ack["delivered_via"] == "TELEGRAM"
    # A poll that was on its way when the session ended is refused, and Chromium writes that down.
    problems[:] = [problem for problem in problems if "401" not in problem and "Sign in first" not in problem]


def test_the_producers_own_words_have_links_and_buttons(system, sign_in):
    url = "https://docs.example.com/3.2"
    body = f"**Faster**, see [the notes]({url}) or [this](https://evil.invalid/).\n- `export` <img src=x>"
    actions = [
        {"label": "Download", "url": "https://example.com/get"},
        {"label": "Got it", "kind": "acknowledge"},
    ]
    page = sign_in()
    content = {"title": "Version 3.2 is out", "body": body, "url": url, "actions": actions}
    ack = system.publish(content=content)
    assert (ack["status"], ack["delivered_via"]) == ("DELIVERED", "WEB")

    toast = page.get_by_test_id("toast").first
    expect(toast.get_by_role("link", name="Version 3.2 is out")).to_have_attribute("href", url)
    expect(toast.locator(".words b")).to_have_text("Faster")
    expect(toast.get_by_role("link", name="the notes")).to_have_attribute("rel", "noopener noreferrer")
    expect(toast.locator(".words")).to_contain_text("this (https://evil.invalid/)")
    expect(toast.locator(".words")).to_contain_text("export <img src=x>")
    assert toast.locator("img").count() == 0
    hrefs = [link.get_attribute("href") for link in toast.get_by_role("link").all()]
    assert hrefs == [url, url, "https://example.com/get"]

    item = page.get_by_test_id("inbox-item").first
    expect(item.locator("a.item-open")).to_have_attribute("href", url)
    expect(item.get_by_role("link", name="Download")).to_have_attribute("href", "https://example.com/get")
    toast.get_by_role("button", name="Got it").click()
    expect(page.get_by_test_id("toast")).to_have_count(0)
    expect(item).to_have_attribute("data-read", "true")
    expect(item.get_by_role("button", name="Got it")).to_have_count(0)
    card = page.get_by_test_id("timeline-card").first
    expect(card).to_contain_text("evidence HUMAN")


def test_the_person_answers_in_the_simulated_telegram(system, sign_in):
    page = sign_in()
    page.get_by_test_id("chat-text").fill("/status")
    page.get_by_test_id("chat-text").press("Enter")
    expect(page.get_by_test_id("chat-message").last).to_contain_text("This chat is linked to Demo")


def test_every_critical_event_has_a_button_that_acknowledges_it(system, sign_in):
    page = sign_in()
    ack = system.publish()
    item = page.locator(f"[data-testid=inbox-item][data-event-id='{ack['event_id']}']")
    item.get_by_role("button", name="Got it").click()
    expect(page.get_by_test_id("toast")).to_have_count(0)
    expect(page.get_by_test_id("timeline-card").first).to_contain_text("evidence HUMAN")
    page.reload()
    expect(item).to_have_attribute("data-read", "true")
    expect(item.get_by_role("button", name="Got it")).to_have_count(0)
