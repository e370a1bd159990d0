"""The inbox over the socket: its first page with `ready`, further ones on request, for every sign-in."""

import httpx
import pytest

from notifications.live import inbox
from tests.gateway.other_ends import Producer
from tests.kit.sign_in import token_for


@pytest.fixture
def ids(producer: Producer, ann) -> list[str]:
    """Three stored events of ann, the newest first."""
    return [producer.publish(user_id="ann").json()["event_id"] for _ in range(3)][::-1]


def named(page: dict) -> list[str]:
    return [item["event_id"] for item in page["items"]]


def test_the_first_page_comes_with_ready(open_page, ann, ids) -> None:
    page = open_page(ann, path="/ws?inbox=2")
    first = page.receive()
    assert (first["type"], first["before"], named(first)) == ("inbox.page", None, ids[:2])
    assert (first["unread"], first["seq"], first["epoch"]) == (3, 3, page.ready["epoch"])
    assert first["next_before"] == 2
    page.barrier()


def test_it_comes_with_a_token_and_after_a_resume_too(open_page, ann, ids) -> None:
    epoch = open_page(ann).ready["epoch"]
    page = open_page(path="/ws/native", origin=None, ready=False)
    page.send(type="auth", token=token_for("ann"), inbox=50, resume={"seq": 2, "epoch": epoch})
    ready, first, missed = (page.receive() for _ in range(3))
    assert (ready["type"], ready["recovered"]) == ("ready", True)
    assert (named(first), first["next_before"]) == (ids, None)
    assert (missed["type"], missed["event_id"]) == ("event", ids[0])


def test_older_pages_follow_to_the_end(open_page, ann, ids) -> None:
    page = open_page(ann)
    page.send(type="inbox", limit=2)
    first = page.receive()
    page.send(type="inbox", before=first["next_before"], limit=2)
    last = page.receive()
    assert named(first) + named(last) == ids
    assert (last["before"], last["next_before"]) == (2, None)


def test_it_is_the_page_that_http_returns(open_page, daphne, ann, ids) -> None:
    page = open_page(ann, path="/ws?inbox=2")
    frame = page.receive()
    headers = {"Authorization": f"Bearer {token_for('ann')}"}
    url = f"{daphne.url}/api/v1/users/me/inbox?limit=2"
    answer = httpx.get(url, headers=headers, trust_env=False, timeout=30).json()
    assert {"type": "inbox.page", "before": None} | answer == frame


def test_an_empty_inbox_is_a_page(open_page, bob) -> None:
    first = open_page(bob, path="/ws?inbox=30").receive()
    assert (first["items"], first["next_before"], first["unread"]) == ([], None, 0)


@pytest.mark.parametrize("asked", ["0", "51", "x", "1e1", "-1", "99999999999999999999"])
def test_a_length_that_is_none_is_refused_and_the_socket_is_ready(open_page, ann, asked: str) -> None:
    page = open_page(ann, path=f"/ws?inbox={asked}")
    assert page.receive()["code"] == "invalid_page"
    page.barrier()


@pytest.mark.parametrize(
    "fields",
    [{"before": 0}, {"before": "7"}, {"before": True}, {"limit": 51}, {"limit": None}, {"limit": True}],
)
def test_a_page_that_is_none_is_refused(open_page, ann, fields: dict) -> None:
    page = open_page(ann)
    page.send(type="inbox", **fields)
    assert page.receive()["code"] == "invalid_page"
    page.barrier()


def test_a_page_ends_before_its_frame_grows_too_large() -> None:
    items = [{"seq": seq, "body": "x" * 1_000} for seq in range(5)]
    assert inbox.within(items, 3_500) == items[:3]
    assert inbox.within(items, 10) == items[:1]
