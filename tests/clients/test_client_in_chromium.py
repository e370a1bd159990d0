"""The client in Chromium against a real server: tabs that share, and connections that break."""

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from gateway.auth.bearer import grant_of
from gateway.codec import events
from notifications.ingest import ingest
from notifications.models import Event
from tests.gateway.good_events import event_json
from tests.kit.eventually import eventually
from users.models import Source

pytestmark = pytest.mark.browser

CONNECT = """async (options) => {
    const { connect } = await import("/static/tocsin/tocsin.js");
    const client = connect({ url: "/ws", person: "ann", ...options });
    window.tocsin = client;
    window.events = [];
    window.inbox = [];
    client.on("event", (event) => void window.events.push(event.event_id));
    client.on("ready", async ({ recovered }) => {
        window.recovered = recovered;
        if (recovered) return;
        const answer = await fetch("/api/v1/users/me/inbox");
        window.inbox = (await answer.json()).items.map((item) => item.event_id);
    });
}"""
HAS = "(id) => window.events.includes(id) || window.inbox.includes(id)"


@pytest.fixture
def publish(venue, ann):
    """Accept an event as any ingress does. It needs no server, so it can happen while none is there."""

    def publish_one() -> str:
        envelope = events.from_json(event_json(ack_timeout_ms=60_000), grant_of(venue))
        ingest([envelope], now=timezone.now())
        return envelope.event_id

    return publish_one


@pytest.fixture
def open_client(open_tab):
    def open_one(**options: object):
        tab = open_tab("/healthz")  # a page of this origin with nothing of its own
        tab.page.evaluate(CONNECT, options)
        until_live(tab.page)
        return tab

    return open_one


def until_live(page: Page) -> None:
    page.wait_for_function("() => window.tocsin.state === 'live'")


def come_back(tab) -> None:
    """The person is back at the tab, so that nobody waits for the next try."""
    tab.page.evaluate("() => dispatchEvent(new Event('online'))")


def role(page: Page) -> str:
    return page.evaluate("() => window.tocsin.role")


def confirmed(event_id: str) -> bool:
    return Event.objects.get(event_id=event_id).evidence == "client"


def test_two_tabs_share_one_socket_and_both_get_the_event(open_client, publish) -> None:
    first, second = open_client(), open_client()
    assert (len(first.sockets), len(second.sockets)) == (1, 0)
    assert (role(first.page), role(second.page)) == ("leader", "follower")
    event_id = publish()
    for tab in (first, second):
        tab.page.wait_for_function(HAS, arg=event_id)
    eventually(lambda: confirmed(event_id))


def test_when_the_leader_is_closed_the_other_tab_takes_over(open_client, publish) -> None:
    first, second = open_client(), open_client()
    before = publish()
    second.page.wait_for_function(HAS, arg=before)
    first.page.close()
    second.page.wait_for_function("() => window.tocsin.role === 'leader'")
    until_live(second.page)
    assert len(second.sockets) == 1
    assert "seq=1" in second.sockets[0]
    after = publish()
    second.page.wait_for_function(HAS, arg=after)
    eventually(lambda: confirmed(after))
    assert second.page.evaluate("() => window.events.length") == 2


HALT = "(ms) => void setTimeout(() => { for (const end = Date.now() + ms; Date.now() < end; ); })"


def test_when_the_leaders_script_halts_another_tab_takes_over_and_the_first_follows(
    open_client, publish
) -> None:
    tabs = [open_client() for _ in range(3)]
    leader, others = tabs[0], tabs[1:]
    before = publish()
    for tab in tabs:
        tab.page.wait_for_function(HAS, arg=before)
    leader.page.evaluate(HALT, 10_000)
    eventually(lambda: "leader" in [role(tab.page) for tab in others], 5)
    during = publish()
    for tab in others:
        tab.page.wait_for_function(HAS, arg=during)
    eventually(lambda: confirmed(during))
    leader.page.wait_for_function("() => window.tocsin.role === 'follower'")
    after = publish()
    for tab in tabs:
        tab.page.wait_for_function(HAS, arg=after)
        assert tab.page.evaluate("() => window.events") == [before, during, after]


def test_events_of_two_sources_with_one_id_are_both_shown_and_confirmed_apart(
    open_client, ann, venue
) -> None:
    tab = open_client(confirm=False)
    for source in (venue, Source.objects.create(name="bank")):
        event = event_json(event_id="x", ack_timeout_ms=60_000)
        ingest([events.from_json(event, grant_of(source))], now=timezone.now())
    tab.page.wait_for_function("() => window.events.length === 2")
    tab.page.evaluate("""() => {
        window.tocsin.confirm([{ source: "bank", event_id: "x" }]);
        window.tocsin.read([{ source: "venue", event_id: "x" }]);
    }""")
    eventually(lambda: Event.objects.get(source__name="bank").evidence == "client")
    eventually(lambda: Event.objects.get(source__name="venue").read_at is not None)
    assert Event.objects.get(source__name="venue").evidence == ""
    assert Event.objects.get(source__name="bank").read_at is None


def test_a_tab_that_does_not_share_has_a_socket_of_its_own(open_client, publish) -> None:
    tabs = [open_client(share=False), open_client(share=False)]
    assert [len(tab.sockets) for tab in tabs] == [1, 1]
    event_id = publish()
    for tab in tabs:
        tab.page.wait_for_function(HAS, arg=event_id)


def test_it_resumes_after_a_restart_of_the_server(open_client, server, publish) -> None:
    tabs = [open_client(), open_client()]
    before = publish()
    tabs[0].page.wait_for_function(HAS, arg=before)
    server.stop()
    for tab in tabs:
        tab.page.wait_for_function("() => window.tocsin.state === 'reconnecting'")
    missed = [publish(), publish()]
    server.start()
    come_back(tabs[1])  # the tab that leads hears of it
    for tab in tabs:
        until_live(tab.page)
        for event_id in missed:
            tab.page.wait_for_function(HAS, arg=event_id)
    assert "seq=1&epoch=" in tabs[0].sockets[-1]
    assert tabs[0].page.evaluate("() => [window.recovered, window.events]") == [True, [before, *missed]]
    assert tabs[1].sockets == []


def test_a_reload_resumes_where_the_tab_was(open_tab, open_client, publish) -> None:
    tab = open_client(share=False)
    tab.page.wait_for_function(HAS, arg=publish())
    tab.page.reload()
    tab.page.evaluate(CONNECT, {"share": False})
    until_live(tab.page)
    assert "seq=1&epoch=" in tab.sockets[-1]


def test_offline_it_waits_and_online_it_is_back(open_client, server, window, publish) -> None:
    tab = open_client()
    window.set_offline(True)
    server.stop()
    tab.page.wait_for_function("() => window.tocsin.state === 'offline'")
    sockets = len(tab.sockets)
    missed = publish()
    server.start()
    assert tab.page.evaluate("() => window.tocsin.state") == "offline"
    assert len(tab.sockets) == sockets
    window.set_offline(False)
    until_live(tab.page)
    tab.page.wait_for_function(HAS, arg=missed)


def test_signed_out_it_stops(open_client, window) -> None:
    tab = open_client(share=False)
    window.clear_cookies()
    tab.page.reload()
    tab.page.evaluate(CONNECT, {"share": False})
    tab.page.wait_for_function("() => window.tocsin.state === 'signed out'")


def shows(page: Page, state: str) -> None:
    pill = page.get_by_test_id("connection-state")
    expect(pill).to_have_attribute("data-state", state, timeout=60_000)


def test_the_page_has_what_it_missed_in_its_inbox(open_tab, server, publish) -> None:
    tabs = [open_tab("/"), open_tab("/")]
    for tab in tabs:
        shows(tab.page, "live")
    assert sum(len(tab.sockets) for tab in tabs) == 1
    server.stop()
    for tab in tabs:
        shows(tab.page, "reconnecting")
    missed = publish()
    server.start()
    come_back(tabs[0])
    for tab in tabs:
        shows(tab.page, "live")
        row = tab.page.locator(f'#inbox-list [data-event-id="{missed}"]')
        expect(row).to_have_count(1, timeout=60_000)
    shown = publish()
    for tab in tabs:
        tab.page.bring_to_front()
        toast = tab.page.locator(f'[data-testid="toast"][data-event-id="{shown}"]')
        expect(toast).to_have_count(1, timeout=60_000)
    eventually(lambda: confirmed(shown))
