"""An operator looks after a person in the admin, in a real browser: by few clicks, and by the keyboard alone.

With `TOCSIN_SCREENSHOTS=1` the pictures in docs/pages/ are made again.
"""

import os
import uuid
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from config.env import ROOT
from tests.journeys.looks import AXE, axe_faults, keep, layout_faults
from tests.journeys.test_page_in_browser import browser  # noqa: F401

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not AXE.exists(), reason="axe-core is missing: npm ci in clients/js"),
]

PICTURES = ROOT / "docs" / "pages" if os.environ.get("TOCSIN_SCREENSHOTS") == "1" else None
WIDTHS = (1024, 1280)


@pytest.fixture
def carol(system) -> str:
    """A person whose only address is not verified, so that her message did not arrive."""
    name = f"carol-{uuid.uuid4().hex[:8]}"
    addresses = [
        {"channel": "TELEGRAM", "address": str(uuid.uuid4().int % 10**9), "label": "phone"},
        {"channel": "EMAIL", "address": f"{name}.with.a.long.name@department.example.org"},
    ]
    system.api.put(f"/users/{name}", json={"name": "Carol", "addresses": addresses}).raise_for_status()
    assert system.publish(user_id=name)["code"] == "no_channel"
    return name


@pytest.fixture
def admin(browser: Browser, system) -> Iterator[Page]:  # noqa: F811
    context = browser.new_context(base_url=system.url)
    page = context.new_page()
    page.goto("/admin/")
    page.get_by_label("Username").fill("demo")
    page.get_by_label("Password").fill(system.values["DEMO_PASSWORD"])
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{system.url}/admin/")
    yield page
    context.close()


def press(page: Page, target: Locator, key: str = "Enter") -> None:
    """Reach the target by Tab, as somebody without a mouse does, and press a key there."""
    expect(target).to_have_count(1)
    for _ in range(250):
        if target.evaluate("it => it === document.activeElement"):
            page.keyboard.press(key)
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not reach {target}")


def look(page: Page, name: str) -> list[str]:
    """Return what is wrong with how a page looks, in both schemes and widths."""
    faults = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            page.reload()
            faults += layout_faults(page, width) + axe_faults(page)
            if PICTURES is not None and (scheme, width) in {("light", 1280), ("dark", 1024)}:
                whole = page.evaluate("document.documentElement.scrollHeight")
                page.set_viewport_size({"width": width, "height": whole})  # a bar at its foot hides nothing
                keep(page, PICTURES, f"admin-{name}-{scheme}")
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 1280, "height": 900})
    return faults


def test_why_a_message_did_not_arrive_is_four_clicks_away(system, admin: Page, carol: str) -> None:
    admin.locator("#content").get_by_role("link", name="Users", exact=True).click()
    admin.get_by_role("link", name=carol).click()
    admin.get_by_role("link", name="Events", exact=True).last.click()
    admin.get_by_role("rowheader").get_by_role("link").click()
    expect(admin.locator("main")).to_contain_text("the address is not verified")
    faults = look(admin, "event")
    assert faults == [], "\n".join(faults)


def test_an_operator_mends_a_person_by_the_keyboard_alone(system, admin: Page, carol: str) -> None:
    admin.goto(f"/admin/users/user/?q={carol}")
    press(admin, admin.get_by_role("link", name=carol))
    tabs = admin.get_by_role("navigation", name="Pages of this person")
    faults = look(admin, "person")

    press(admin, tabs.get_by_role("link", name="Addresses"))
    press(admin, admin.get_by_role("button", name="Mark as verified").last)
    expect(admin.locator("main")).to_contain_text("is verified, by your word")
    press(admin, admin.get_by_role("button", name="Send test"))
    expect(admin.locator("main")).to_contain_text("the provider took the test message")
    faults += look(admin, "addresses")

    press(admin, tabs.get_by_role("link", name="Preferences"))
    press(admin, admin.get_by_label("Add a row for an event type"), "End")
    admin.keyboard.type("ORDER_FILED")
    admin.keyboard.press("Enter")
    expect(admin.locator("main")).to_contain_text("Did you mean ORDER_FILLED?")
    press(admin, admin.get_by_label("Every type, E-mail: place"), "o")  # the choice that begins with it: off
    faults += look_unsaved(admin)
    press(admin, admin.get_by_role("button", name="Save preferences"))
    expect(admin.get_by_role("row", name="Every type")).to_contain_text("WEB, then TELEGRAM")
    faults += look(admin, "preferences")

    press(admin, tabs.get_by_role("link", name="Events"))
    expect(admin.get_by_role("rowheader")).to_have_count(1)
    faults += look(admin, "events")
    press(admin, tabs.get_by_role("link", name="History"))
    expect(admin.get_by_role("row", name="Channel: E-mail for every type")).to_contain_text("off")
    expect(admin.get_by_role("row", name="Address: E-mail").first).to_contain_text("demo")
    faults += look(admin, "history")
    assert faults == [], "\n".join(faults)


def look_unsaved(page: Page) -> list[str]:
    """Measure a form without loading it again: it has what was typed."""
    return [fault for width in WIDTHS for fault in layout_faults(page, width)] + axe_faults(page)


def test_the_lists_and_forms_beside_them_are_whole(system, admin: Page, carol: str) -> None:
    faults = []
    for path in ("user", "user/add", "source/1/change", "channelpreference"):
        admin.goto(f"/admin/users/{path}/")
        faults += look(admin, path.replace("/", "-"))
    assert faults == [], "\n".join(faults)
