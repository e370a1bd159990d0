"""A person without staff rights sets up their own notifications in a real browser, by the keyboard alone.

With `TOCSIN_SCREENSHOTS=1` (`make screenshots`) the pictures in docs/pages/ are made again.
"""

import os
import re
import uuid
from collections.abc import Iterator

import psycopg
import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from config.env import ROOT
from tests.gateway.mailbox import code_in, mails_to
from tests.journeys.looks import axe_faults, keep, layout_faults
from tests.journeys.test_page_in_browser import browser  # noqa: F401
from tests.kit.eventually import eventually
from tests.kit.node import install_packages

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(600),
]

PASSWORD = "a long and quiet sentence"
expect.set_options(timeout=20_000)  # a sign-in hashes a password, and what it needs is compiled at first
PICTURES = ROOT / "docs" / "pages" if os.environ.get("TOCSIN_SCREENSHOTS") == "1" else None


@pytest.fixture
def pia(system) -> str:
    """A person with a chat and a mailbox, who signs in with `PASSWORD`."""
    name, chat = f"pia-{uuid.uuid4().hex[:8]}", str(uuid.uuid4().int % 10**9)
    addresses = [
        {"channel": "TELEGRAM", "address": chat, "verified": True},
        {"channel": "EMAIL", "address": f"{name}@example.org", "verified": True, "label": "at home"},
    ]
    system.api.put(f"/users/{name}", json={"name": "Pia Muster", "addresses": addresses}).raise_for_status()
    encoded = PBKDF2PasswordHasher().encode(PASSWORD, "salt0815salt")
    with psycopg.connect(system.values["DATABASE_URL"]) as database:
        database.execute("UPDATE users_user SET password = %s WHERE external_id = %s", [encoded, name])
        [username] = database.execute(
            "SELECT username FROM users_user WHERE external_id = %s", [name]
        ).fetchone()
    return username


class Person:
    """Somebody at a keyboard, who counts what they have to press."""

    def __init__(self, page: Page) -> None:
        self.page, self.presses = page, 0

    def reach(self, target: Locator) -> None:
        """Press Tab until the target has the focus."""
        expect(target).to_have_count(1)
        for _ in range(300):
            if target.evaluate("it => it === document.activeElement"):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"Tab does not lead to {target}")

    def press(self, target: Locator) -> None:
        self.reach(target)
        self.presses += 1
        self.page.keyboard.press("Enter")

    def button(self, name: str | re.Pattern[str], within: Locator | None = None) -> None:
        self.press((within or self.page).get_by_role("button", name=name, exact=isinstance(name, str)))

    def go_to(self, name: str) -> None:
        link = self.page.get_by_role("navigation").get_by_role("link", name=name)
        self.press(link)
        expect(self.page.get_by_role("navigation").locator("[aria-current=page]")).to_contain_text(name)

    def type(self, label: str, text: str, within: Locator | None = None) -> None:
        self.reach((within or self.page).get_by_label(label, exact=True))
        self.page.keyboard.type(text)

    def is_told(self, text: str | re.Pattern[str], level: str = "success") -> None:
        notice = self.page.get_by_test_id("notice")
        expect(notice).to_contain_text(text, timeout=15_000)
        expect(notice).to_have_attribute("data-level", level)

    def sign_in(self, name: str, password: str = PASSWORD) -> None:
        self.page.goto("/login/?next=/inbox/")
        self.type("Username", name)
        self.type("Password", password)
        self.page.keyboard.press("Enter")
        expect(self.page.get_by_test_id("connection-state")).to_have_attribute("data-state", "live")


@pytest.fixture
def context(browser: Browser, system) -> Iterator[BrowserContext]:  # noqa: F811
    made = browser.new_context(base_url=system.url)
    yield made
    made.close()


def order_by_mail_first(person: Person, system, pia: str) -> None:
    # Another order of channels, in at most four clicks; the next event obeys.
    person.presses = 0
    person.go_to("Notifications")
    row = person.page.locator('[data-of="type:ORDER_FILLED"]')
    for first in ("TELEGRAM", "WEB"):
        person.button("Earlier: E-mail", row)
        expect(row.locator(".cell").nth(0 if first == "WEB" else 1)).to_have_attribute(
            "data-channel", "EMAIL"
        )
    assert person.presses <= 4
    person.page.goto("about:blank")  # an open page shows it too, and would confirm it first
    assert system.publish(user_id=pia)["delivered_via"] == "EMAIL"
    person.page.goto("/settings/")


def read_in_one_of_two_tabs(person: Person, other: Page) -> None:
    # Read in one tab, seen in the other.
    other.goto("/inbox/")
    newest = other.get_by_test_id("inbox-item").first
    expect(newest).to_have_attribute("data-read", "false")
    person.go_to("Inbox")
    person.button("Mark read", person.page.get_by_test_id("inbox-item").first)
    expect(newest).to_have_attribute("data-read", "true")
    person.press(person.page.get_by_test_id("inbox-item").first.get_by_role("link"))
    expect(person.page.get_by_test_id("outcome")).to_contain_text("Delivered: E-mail")
    expect(person.page.locator(".steps")).to_contain_text("EMAIL accepted it")


def mute_and_search(person: Person, system, pia: str) -> None:
    # What is muted stays in the inbox, whose history has no end; a search finds what it says.
    person.go_to("Notifications")
    person.button("until I lift it")
    person.is_told("Muted.")
    for number in range(40):
        payload = {"symbol": f"COIN{number}"}
        system.publish(user_id=pia, payload=payload, delivery={"priority": "NORMAL"}, wait_s=0)
    person.go_to("Inbox")
    items = person.page.get_by_test_id("inbox-item")
    expect(items).to_have_count(30)
    person.page.keyboard.press("End")
    expect(items).to_have_count(42)
    person.type("Search in your messages", "coin39")
    person.page.keyboard.press("Enter")
    expect(items).to_have_count(1)


def test_a_person_sets_up_their_own_notifications(system, context, pia) -> None:
    person = Person(context.new_page())
    person.sign_in(pia)
    assert system.publish(user_id=pia)["delivered_via"] == "WEB"
    item = person.page.get_by_test_id("inbox-item")
    expect(item).to_have_attribute("data-read", "false")

    order_by_mail_first(person, system, pia)
    read_in_one_of_two_tabs(person, context.new_page())
    mute_and_search(person, system, pia)


def add_and_verify_a_mailbox(person: Person, system, pia: str) -> None:
    mail = person.page.get_by_role("region", name="E-mail")
    person.type("New address", f"second.{pia}@example.org", mail)
    person.page.keyboard.press("Enter")
    person.is_told("Added. Verify it")
    added = mail.get_by_test_id("address").last
    expect(added).to_have_attribute("data-state", "unverified")
    person.button("Send me a code", added)
    person.is_told("A code is on its way.")
    [received] = mails_to(system.simulator, f"second.{pia}@example.org")
    person.type("Code", code_in(received), added)
    person.button("Verify", added)
    expect(added).to_have_attribute("data-state", "verified")
    person.button("Earlier", added)
    expect(mail.get_by_test_id("address").first).to_contain_text("second.")


def lose_and_mend_the_chat(person: Person, system, pia: str) -> str:
    """Return the id of the event that did not arrive."""
    chat = person.page.get_by_role("region", name="Telegram").get_by_test_id("address")
    person.button("Send a test", chat)
    person.is_told(re.compile("Telegram, .*: the test was accepted."))
    system.simulator.misbehave("telegram", error="chat_not_found")
    person.button("Send a test", chat)
    person.is_told(re.compile("the test did not arrive: .*chat not found"), "error")
    person.page.goto("about:blank")  # an open page would confirm it
    lost = system.publish(
        user_id=pia, delivery={"priority": "CRITICAL", "channels": [{"channel": "TELEGRAM"}]}
    )
    assert lost["status"] == "ACK_ERROR"
    person.page.goto("/addresses/")
    expect(chat).to_have_attribute("data-state", "disabled")
    expect(chat).to_contain_text("chat not found")
    expect(chat.get_by_test_id("advice")).to_contain_text("press Start, then enable")
    system.simulator.behave()
    person.button("Enable", chat)
    person.button("Send a test", chat)
    person.is_told("the test was accepted.")
    event_id: str = lost["event_id"]
    return event_id


def an_operator_finds(lost: str, operator: Person, system) -> None:
    operator.page.context.clear_cookies()
    operator.sign_in("demo", system.values["DEMO_PASSWORD"])
    operator.presses = 0
    operator.press(operator.page.get_by_role("link", name="Admin"))
    operator.press(operator.page.get_by_role("link", name="Dead letters").first)
    letter = operator.page.get_by_role("row").filter(has_text=lost)
    expect(letter).to_contain_text("chat not found")
    operator.press(letter.get_by_role("link", name=lost))
    expect(operator.page.get_by_text("TELEGRAM failed").first).to_be_visible()
    assert operator.presses <= 4


def test_an_address_is_verified_tested_disabled_and_mended(system, context, pia) -> None:
    person = Person(context.new_page())
    person.sign_in(pia)
    person.go_to("Addresses")
    add_and_verify_a_mailbox(person, system, pia)
    lost = lose_and_mend_the_chat(person, system, pia)

    # Why did it not arrive? Two clicks from any page.
    person.presses = 0
    person.go_to("Inbox")
    item = person.page.locator(f'[data-event-id="{lost}"]')
    person.press(item.get_by_role("heading").get_by_role("link"))
    expect(person.page.get_by_test_id("outcome")).to_contain_text("Not delivered. TELEGRAM:")
    assert person.presses <= 4
    an_operator_finds(lost, Person(context.new_page()), system)


def test_what_a_critical_message_would_do(system, context, pia) -> None:
    person = Person(context.new_page())
    person.sign_in(pia)
    person.go_to("Reachability")
    expect(person.page.locator('[data-channel="TELEGRAM"]')).to_have_attribute("data-usable", "true")
    person.button("Start the drill")
    person.is_told(re.compile(r"Telegram, .* accepted\.\s*E-mail, .* accepted\."))


def change_password(person: Person, to: str) -> None:
    for label, text in (("Your password now", PASSWORD), ("New password", to), ("New password again", to)):
        person.type(label, text)
    person.page.keyboard.press("Enter")


def reset_password(guest: Person, system, pia: str) -> None:
    guest.press(guest.page.get_by_role("link", name="Forgotten your password?"))
    guest.type("E-mail", f"{pia}@example.org")
    guest.page.keyboard.press("Enter")
    guest.page.wait_for_url("**/password/reset/sent/")
    [mail] = eventually(lambda: mails_to(system.simulator, f"{pia}@example.org"), within_s=15)
    link = re.search(r"http\S+/password/reset/\S+/\S+/", mail["text"])
    assert link is not None
    guest.page.goto(link[0])
    guest.type("New password", PASSWORD * 2)
    guest.type("New password again", PASSWORD * 2)
    guest.page.keyboard.press("Enter")
    guest.page.wait_for_url("**/login/")
    expect(guest.page.get_by_role("status")).to_contain_text("The password was set.")
    guest.sign_in(pia, PASSWORD * 2)


def test_devices_are_signed_out_and_the_password_is_changed(system, browser, context, pia) -> None:  # noqa: F811
    person = Person(context.new_page())
    person.sign_in(pia)
    elsewhere = browser.new_context(base_url=system.url)
    guest = Person(elsewhere.new_page())
    guest.sign_in(pia)
    person.go_to("Devices")
    person.press(person.page.get_by_test_id("sign-in").get_by_role("button", name="Sign out"))
    person.is_told("Signed out there.")
    guest.page.wait_for_url("**/login/**")

    person.press(person.page.get_by_role("link", name="Change the password"))
    change_password(person, "short")
    expect(person.page.locator(".field-error")).to_contain_text("Use at least 10 characters.")
    change_password(person, PASSWORD[::-1])
    person.is_told("The password was changed.")

    reset_password(guest, system, pia)
    elsewhere.close()


PAGES = ("/inbox/", "/inbox/1/", "/settings/", "/addresses/", "/reachability/", "/devices/", "/password/")
SIGNED_OUT = ("/login/", "/password/reset/", "/password/reset/sent/")


def test_every_page_can_be_read_by_everybody(system, browser, context, pia) -> None:  # noqa: F811
    install_packages()  # axe-core
    page = context.new_page()
    Person(page).sign_in(pia)
    prepare(system, pia)
    faults: list[str] = []
    for language in ("en", "de", "zh"):
        system.api.patch(f"/users/{pia}", json={"locale": language}).raise_for_status()
        for path in PAGES:
            page.goto(path)
            faults += looked_at(page, path, language)
    signed_out = browser.new_context(base_url=system.url).new_page()
    for path in SIGNED_OUT:
        signed_out.goto(path)
        faults += looked_at(signed_out, path, "en")
    signed_out.context.close()
    assert not faults, "\n".join(faults)


def looked_at(page: Page, path: str, language: str) -> list[str]:
    """Return the faults of a page: its layout in every language, and what axe-core finds in one of them."""
    if page.get_by_test_id("connection-state").count():
        expect(page.get_by_test_id("connection-state")).to_have_attribute("data-state", "live")
    faults = [fault for width in (360, 390, 768, 1280) for fault in layout_faults(page, width)]
    if language != "en":
        return faults
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            faults += axe_faults(page)
            if PICTURES and (width, scheme) in {(1280, "light"), (390, "dark")}:
                keep(page, PICTURES, f"{path.strip('/').replace('/', '-')}-{width}-{scheme}")
    return faults


def prepare(system, pia: str) -> None:
    """Give the pages something to show: own words, long words, a dead letter, wishes, a disabled address."""
    words = {
        "title": "Version 3.2 is out",
        "body": "It is **faster**: see [the notes](https://docs.example.com/3.2).\n- `export`\n- import",
        "url": "https://example.com/3.2",
        "actions": [{"label": "Download", "url": "https://example.com/get"}],
    }
    long = {"title": "A very " + "long" * 40, "body": "word" * 200}
    for content in (words, long):
        system.publish(user_id=pia, type_name="release.published", content=content, wait_s=0)
    system.publish(user_id=pia)
    system.publish(user_id=pia, event_type="RISK_ALERT", delivery={"priority": "NORMAL"})
    spare = {"channel": "EMAIL", "address": f"spare.of.the.person.with.a.long.name.{pia}@mail.example.org"}
    system.api.post(f"/users/{pia}/destinations", json=spare).raise_for_status()
    dead = {"channel": "EMAIL", "address": f"dead.{pia}@example.org", "verified": True}
    made = system.api.post(f"/users/{pia}/destinations", json=dead).raise_for_status().json()
    change = {"enabled": False}
    system.api.patch(f"/users/{pia}/destinations/{made['id']}", json=change).raise_for_status()
    wishes = {
        "quiet_hours": [{"starts": "22:00", "ends": "07:00"}],
        "send_windows": [{"weekdays": ["MONDAY", "TUESDAY"], "starts": "09:00", "ends": "08:00"}],
        "mutes": [{"event_type": "BALANCE_UPDATED"}],
        "throttles": [{"at_most": 5, "per_s": 3600}],
        "channels": [{"channel": "EMAIL", "event_type": "ORDER_FILLED", "enabled": False}],
    }
    system.api.put(f"/users/{pia}/preferences", json=wishes).raise_for_status()
