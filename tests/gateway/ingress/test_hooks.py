"""Posting to a hook: its token, its body, its answers, and what becomes of what is not understood."""

import gzip
import json
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from django.utils import timezone

from gateway.ingress.retries import try_again
from notifications.models import Event, Quarantine
from notifications.states import Channel
from tests.gateway.normalizers.posting import Poster, codes, stored
from tests.gateway.servers import Server
from users import hooks
from users.models import Account, Destination, Hook, Source, User

AT_MS = 1_764_000_000_000
OPTIONS = {
    "to": {"account": "{owner}"},
    "event_id": "build-{build.id}",
    "event_type": "build.finished",
    "timestamp": "{build.at}",
    "payload": {"branch": "{build.branch}", "cost": "{build.cost?}"},
    "content": {"title": "Build {build.id}: {build.result}"},
}
BODY = {"owner": "1001", "build": {"id": 7, "at": AT_MS, "branch": "main", "result": "red"}}


@pytest.fixture
def poster(daphne: Server, venue: Source, ann: User):
    Account.objects.create(source=venue, account="1001", person=ann)
    Destination.objects.create(
        user=ann, kind=Channel.EMAIL, address="ann@example.test", verified_at=timezone.now()
    )
    with Poster(daphne, venue, "json", OPTIONS) as poster:
        yield poster


def test_what_is_posted_becomes_an_event_of_the_hooks_source(poster: Poster, ann: User) -> None:
    answer = poster.tell(BODY)
    assert (answer.status_code, codes(answer)) == (202, [("build-7", "QUEUED", False)])
    [event] = stored()
    assert (event.person, event.source.name, event.event_type) == (ann, "venue", "build.finished")
    assert (event.payload, event.words) == ({"branch": "main"}, {"title": "Build 7: red"})
    assert event.occurred_at.timestamp() * 1000 == AT_MS
    assert json.loads(bytes(event.raw)) == BODY


def test_the_same_again_is_a_duplicate_and_other_content_under_its_id_is_kept(poster: Poster) -> None:
    poster.tell(BODY)
    answer = poster.tell(BODY)
    assert (answer.status_code, codes(answer)) == (200, [("build-7", "QUEUED", True)])
    answer = poster.tell(BODY | {"build": BODY["build"] | {"branch": "other"}})
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert Quarantine.objects.get(pk=answer.json()["quarantine_id"]).code == "conflict"
    assert Event.objects.count() == 1


def test_a_token_is_good_in_the_header_and_gzip_is_unpacked(poster: Poster) -> None:
    headers = {"Authorization": f"Bearer {poster.token}", "Content-Encoding": "gzip"}
    answer = poster.post("/json", content=gzip.compress(json.dumps(BODY).encode()), headers=headers)
    assert (answer.status_code, codes(answer)) == (202, [("build-7", "QUEUED", False)])


@pytest.mark.parametrize("path", ["/json/{wrong}", "/json/x", "/json", "/json/{token}x", "/json/a/b%00c"])
def test_who_has_no_token_is_refused_and_nothing_is_kept(poster: Poster, path: str) -> None:
    wrong = poster.token[:-1] + ("a" if poster.token[-1] != "a" else "b")
    answer = poster.post(path.format(wrong=wrong, token=poster.token), json=BODY)
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")
    assert not Event.objects.exists()
    assert not Quarantine.objects.exists()


def test_a_hook_that_is_off_or_of_another_format_or_a_source_that_is_off_is_refused(poster: Poster) -> None:
    answer = poster.post(f"/cloudevents/{poster.token}", json=BODY)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    Hook.objects.update(enabled=False)
    assert poster.tell(BODY).status_code == 401
    Hook.objects.update(enabled=True)
    Source.objects.update(enabled=False)
    assert poster.tell(BODY).status_code == 401


def test_a_rotated_token_is_good_for_as_long_as_it_was_said(poster: Poster) -> None:
    hooks.rotate(poster.hook, now=timezone.now(), previous_for=timedelta(hours=1))
    assert poster.tell(BODY).status_code == 202
    hooks.rotate(Hook.objects.get(), now=timezone.now() - timedelta(days=2))
    assert poster.tell(BODY).status_code == 401
    poster.token = hooks.rotate(Hook.objects.get(), now=timezone.now(), previous_for=timedelta())
    assert poster.tell(BODY).status_code == 200


def test_only_a_post_is_taken_and_a_sender_of_cloudevents_may_ask(poster: Poster) -> None:
    for method in ("GET", "PUT", "DELETE"):
        answer = poster.request(method, f"/json/{poster.token}")
        assert (answer.status_code, answer.headers["Allow"]) == (405, "POST, OPTIONS")
    answer = poster.options(f"/json/{poster.token}", headers={"WebHook-Request-Origin": "events.example"})
    assert answer.headers["WebHook-Allowed-Origin"] == "events.example"


def test_a_body_over_the_limit_is_refused_before_it_is_read(poster: Poster) -> None:
    answer = poster.tell(b"x" * (4 * 1024 * 1024 + 1))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_what_nobody_understands_is_kept_once_and_taken_in_after_the_fix(poster: Poster, ann: User) -> None:
    body = BODY | {"owner": "2002"}
    answers = [poster.tell(body) for _ in range(2)]
    said = answers[0].json()
    assert (answers[0].status_code, said["code"], said["field"]) == (422, "unknown_account", "account")
    [row] = Quarantine.objects.all()
    assert {answer.json()["quarantine_id"] for answer in answers} == {row.pk}
    assert (row.ingress, row.source_name, json.loads(bytes(row.content))) == ("hook", "venue", body)
    assert try_again([row], now=timezone.now())[row.pk].code == "unknown_account"
    Account.objects.create(source=poster.hook.source, account="2002", person=ann)
    assert try_again([row], now=timezone.now()) == {row.pk: None}
    row.refresh_from_db()
    assert row.resolved_at is not None
    assert [event.event_id for event in stored()] == ["build-7"]


def test_the_options_of_a_hook_are_what_was_mended(poster: Poster) -> None:
    Hook.objects.update(options=OPTIONS | {"event_id": "{no.such}"})
    assert poster.tell(BODY).json()["code"] == "not_understood"
    Hook.objects.update(options={"to": 7})
    assert poster.tell(BODY).json()["code"] == "invalid_options"
    Hook.objects.update(options=OPTIONS, normalizer="gone")
    rows = Quarantine.objects.select_related("hook")
    assert [error.code for error in try_again(rows, now=timezone.now()).values()] == ["unknown_normalizer"]
    Hook.objects.update(normalizer="json")
    assert list(try_again(rows.all(), now=timezone.now()).values()) == [None]


def test_an_answer_has_every_event_and_those_that_were_refused_are_kept(poster: Poster) -> None:
    Hook.objects.update(options=OPTIONS | {"items": "{builds}"})
    other = BODY | {"owner": "2002", "build": BODY["build"] | {"id": 8}}
    answer = poster.tell({"builds": [BODY, other]})
    assert answer.status_code == 202
    assert codes(answer) == [("build-7", "QUEUED", False), ("build-8", "unknown_account", False)]
    assert Quarantine.objects.get(pk=answer.json()["quarantine_id"]).code == "unknown_account"
    assert json.loads(bytes(stored()[0].raw)) == BODY


def test_the_servers_log_has_no_token(poster: Poster, daphne: Server) -> None:
    for method, path in (("POST", f"/json/{poster.token}"), ("GET", f"/json/{poster.token}/x")):
        poster.request(method, path, content=b"{")
    httpx.post(f"{poster.base_url!s}/{poster.token}", trust_env=False)
    log = Path(f"/proc/{daphne.process.pid}/fd/2").read_text()
    assert "hook_quarantined" in log
    assert poster.token.rsplit("_", 1)[1] not in log
