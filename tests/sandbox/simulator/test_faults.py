"""The fault rules: how they are checked, chosen, counted and reset."""

import pytest


def _statuses(sandbox, names: str) -> list[int]:
    return [sandbox.http.post(f"/sink/{name}").status_code for name in names]


def test_times_clears_the_rule(sandbox):
    sandbox.misbehave("sink", status=500, times=2)
    assert _statuses(sandbox, "a") == [500]
    assert sandbox.http.get("/control/faults").json()["sink"] == [
        {"status": 500, "times": 2, "hits": 1, "remaining": 1}
    ]
    assert _statuses(sandbox, "ab") == [500, 200]
    assert sandbox.http.get("/control/faults").json() == {"telegram": [], "smtp": [], "sink": []}


def test_first_rule_that_applies_is_used(sandbox):
    sandbox.misbehave("sink", status=500, match="a", times=1)
    sandbox.http.post("/control/faults/sink", json={"status": 503, "match": "a"}).raise_for_status()
    sandbox.http.post("/control/faults/sink", json={"status": 410}).raise_for_status()
    assert _statuses(sandbox, "aaba") == [500, 503, 410, 503]


def test_put_replaces_and_delete_resets_one_channel(sandbox):
    sandbox.misbehave("sink", status=500)
    sandbox.misbehave("sink", status=501)
    sandbox.misbehave("telegram", status=502)
    assert _statuses(sandbox, "a") == [501]
    assert sandbox.http.delete("/control/faults/sink").json() == {"sink": []}
    assert _statuses(sandbox, "a") == [200]
    assert sandbox.api("getMe").status_code == 502


def test_chat_id_may_be_matched_as_a_number(sandbox):
    sandbox.misbehave("telegram", error="blocked", match=77)
    assert sandbox.api("sendMessage", chat_id=77, text="x").status_code == 403
    assert sandbox.api("sendMessage", chat_id=78, text="x").status_code == 200


def test_rate_strikes_the_same_requests_for_the_same_seed(sandbox):
    runs = []
    for seed in (1, 1, 2):
        sandbox.misbehave("sink", status=500, rate=0.3, seed=seed)
        runs.append(_statuses(sandbox, "x" * 100))
    assert runs[0] == runs[1] != runs[2]
    assert 15 <= runs[0].count(500) <= 45


@pytest.mark.parametrize(
    ("channel", "rule", "field"),
    [
        ("sink", {"latency": 5}, "latency"),
        ("sink", {"latency_ms": -1}, "latency_ms"),
        ("sink", {"latency_ms": "5"}, "latency_ms"),
        ("sink", {"latency_ms": True}, "latency_ms"),
        ("sink", {"status": 99}, "status"),
        ("sink", {"error": "blocked"}, "error"),
        ("sink", {"hang": 1}, "hang"),
        ("sink", {"times": 0}, "times"),
        ("sink", {"rate": 1.5}, "rate"),
        ("sink", {"match": ""}, "match"),
        ("sink", {"match": ["a"]}, "match"),
        ("telegram", {"error": "mailbox_full"}, "error"),
        ("telegram", {"error": ["blocked"]}, "error"),
        ("telegram", {"status": 200}, "status"),
        ("smtp", {"error": "blocked"}, "error"),
        ("smtp", {"retry_after_s": 5}, "retry_after_s"),
        ("smtp", {"at": "quit"}, "at"),
        ("smtp", {"at": "connect", "latency_ms": 5}, "at"),
        ("smtp", {"at": "mail", "drop_answer": True}, "at"),
        ("smtp", {"at": "mail", "match": "a@x.test", "status": 450}, "at"),
        ("sink", [], "body"),
    ],
)
def test_bad_rule_is_refused_by_the_name_of_its_field(sandbox, channel, rule, field):
    for send in (sandbox.http.put, sandbox.http.post):
        answer = send(f"/control/faults/{channel}", json=rule)
        assert answer.status_code == 422
        assert answer.json()["field"] == field
        assert answer.json()["error"].startswith(f"{field}: ")
    assert sandbox.http.get(f"/control/faults/{channel}").json() == {channel: []}


def test_body_that_is_no_json_is_refused(sandbox):
    assert sandbox.http.put("/control/faults/sink", content=b"{").status_code == 422
    assert sandbox.http.put("/control/faults/sink", content=b"\xff").status_code == 422


@pytest.mark.parametrize("path", ["/control/faults/pager", "/control/nothing", "/nothing", "/control/log/x"])
def test_unknown_places_are_not_found(sandbox, path):
    assert sandbox.http.get(path).status_code == 404
    assert sandbox.http.put(path, json={}).status_code == 404


def test_wrong_methods_are_not_allowed(sandbox):
    for method, path in (
        ("PATCH", "/control/faults/sink"),
        ("PUT", "/control/faults"),
        ("PUT", "/control/log"),
    ):
        assert sandbox.http.request(method, path, json={}).status_code == 405


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:8000"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Host": "evil.example"},
        {"Host": "evil.example:8090"},
        {"Host": "localhost.evil.example"},
        {"Host": "127.0.0.1.nip.io"},
        {"Host": ""},
    ],
)
@pytest.mark.parametrize(("method", "path"), [("POST", "/control/faults/sink"), ("GET", "/control/log")])
def test_no_web_page_reaches_the_control_api(sandbox, method, path, headers):
    assert sandbox.http.request(method, path, json={"status": 410}, headers=headers).status_code == 403
    assert sandbox.http.get("/control/faults/sink").json() == {"sink": []}


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8090", "127.0.0.1", "10.1.2.3:80", "[::1]", "[::1]:8090"]
)
def test_a_tool_reaches_the_control_api_by_address(sandbox, host):
    assert sandbox.http.get("/control/faults", headers={"Host": host}).status_code == 200
