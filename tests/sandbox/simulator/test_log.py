"""The log, read over HTTP and as a class."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from sandbox.simulator.log import Log


def test_entries_are_numbered_and_paged(sandbox):
    for name in "abcde":
        sandbox.http.post(f"/sink/{name}")
    query = {"after": sandbox.begin, "limit": 2}
    first = sandbox.http.get("/control/log", params=query).json()
    assert [entry["to"] for entry in first["entries"]] == ["a", "b"]
    second = sandbox.http.get("/control/log", params=query | {"after": first["last"]}).json()
    assert [entry["to"] for entry in second["entries"]] == ["c", "d"]
    rest = sandbox.http.get("/control/log", params=query | {"after": second["last"]}).json()
    assert ([entry["to"] for entry in rest["entries"]], rest["last"]) == (["e"], sandbox.begin + 5)


def test_entries_are_filtered_by_channel_and_kind(sandbox):
    sandbox.http.post("/sink/a")
    sandbox.api("getMe")
    sandbox.api("sendMessage", chat_id=1, text="x")
    assert [entry["kind"] for entry in sandbox.entries(2, channel="telegram")] == ["getMe", "sendMessage"]
    assert [entry["kind"] for entry in sandbox.entries(1, kind="sendMessage")] == ["sendMessage"]


def test_long_poll_returns_when_a_matching_entry_comes(sandbox):
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(sandbox.entries, 1, channel="telegram", wait_s=30)
        sandbox.http.post("/sink/other")
        sandbox.api("sendMessage", chat_id=1, text="x")
        assert [entry["kind"] for entry in waiting.result(timeout=5)] == ["sendMessage"]


def test_long_poll_ends_empty_after_its_time(sandbox):
    page = sandbox.http.get("/control/log", params={"after": sandbox.begin, "wait_s": 0.05}).json()
    assert (page["entries"], page["last"]) == ([], sandbox.begin)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"wait_s": 31}, "wait_s"),
        ({"limit": 0}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"after": -1}, "after"),
        ({"after": "nan"}, "after"),
        ({"channel": "pager"}, "channel"),
        ({"since": 1}, "since"),
    ],
)
def test_bad_query_is_refused_by_the_name_of_its_field(sandbox, query, field):
    answer = sandbox.http.get("/control/log", params=query)
    assert (answer.status_code, answer.json()["field"]) == (422, field)


def test_counts_and_clearing(sandbox):
    sandbox.http.delete("/control/log").raise_for_status()
    sandbox.http.post("/sink/a")
    sandbox.api("sendMessage", chat_id=1, text="x")
    sandbox.api("sendMessage", chat_id=1, text="")
    sandbox.api("getMe")
    assert sandbox.http.get("/control/log/count").json() == {
        "accepted": 3,
        "channels": {
            "sink": {"POST": {"accepted": 1}},
            "telegram": {"sendMessage": {"accepted": 1, "refused": 1}, "getMe": {"accepted": 1}},
        },
    }
    counted = sandbox.http.get("/control/log/count", params={"channel": "telegram", "kind": "sendMessage"})
    assert counted.json()["accepted"] == 1

    sandbox.http.delete("/control/log").raise_for_status()
    assert sandbox.http.get("/control/log/count").json() == {"accepted": 0, "channels": {}}
    page = sandbox.http.get("/control/log").json()
    assert page == {"entries": [], "last": sandbox.begin + 4, "first": sandbox.begin + 5}
    sandbox.http.post("/sink/b")
    assert [entry["n"] for entry in sandbox.entries()] == [sandbox.begin + 5]


def test_memory_is_bounded_and_the_numbering_goes_on():
    log = Log(capacity=3)
    for n in range(1, 6):
        log.append("sink", "POST", str(n), "accepted")
    page = log.page(0, limit=10)
    assert ([entry["n"] for entry in page.entries], page.first, page.last) == ([3, 4, 5], 3, 5)
    log.clear()
    log.append("sink", "POST", "6", "accepted")
    for n in range(7, 11):
        log.append("sink", "POST", str(n), "accepted")
    assert [(entry["n"], entry["to"]) for entry in log.page(0, limit=10).entries] == [
        (8, "8"),
        (9, "9"),
        (10, "10"),
    ]
    assert log.counts() == {"sink": {"POST": {"accepted": 5}}}


async def test_waiting_reader_survives_a_clear():
    log = Log()
    log.append("sink", "POST", "a", "accepted")
    reading = asyncio.ensure_future(log.wait_for_page(1, limit=5, channel=None, kind=None, wait_s=5))
    await asyncio.sleep(0)
    log.clear()
    log.append("sink", "POST", "b", "accepted")
    assert [entry["to"] for entry in (await reading).entries] == ["b"]


def test_file_holds_every_entry(start_sandbox, tmp_path):
    path = tmp_path / "log.jsonl"
    simulator = start_sandbox("--log", str(path))
    simulator.http.post("/sink/a", content="ä")
    simulator.http.delete("/control/log")
    simulator.http.post("/sink/b")
    assert simulator.stop() == 0
    entries = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(entry["n"], entry["to"]) for entry in entries] == [(1, "a"), (2, "b")]
    assert entries[0]["text"] == "ä"


def test_the_newest_entries_are_the_last_ones(sandbox):
    for number in range(31):
        sandbox.http.post(f"/sink/{number}")
    entries = sandbox.http.get("/control/log", params={"newest": 30}).json()["entries"]
    assert [entry["to"] for entry in entries] == [str(number) for number in range(1, 31)]
    sandbox.http.delete("/control/log").raise_for_status()
    assert sandbox.http.get("/control/log", params={"newest": 30}).json()["entries"] == []
