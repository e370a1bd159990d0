"""Starting, failing to start and stopping: the output at the terminal, and what remains."""

import signal
import socket
import stat
from urllib.parse import urlsplit

import psycopg
import pytest

from sandbox.system.launcher import curl_line
from tests.kit.eventually import eventually


def test_a_second_start_in_the_same_folder_says_where_the_first_one_is(running_system, start_system):
    second = start_system("sandbox", home=running_system.home)
    assert second.wait() == 1
    assert f"It is already running at {running_system.url}/" in second.output


def test_a_second_checkout_runs_beside_the_first(running_system, start_system):
    other = start_system("web", "sandbox").wait_until_ready()
    ports = ("PORT", "SANDBOX_PORT", "SANDBOX_SMTP_PORT", "POSTGRES_PORT", "VALKEY_PORT")
    assert [name for name in ports if other.values[name] == running_system.values[name]] == []
    assert other.api.get("/events/none").status_code == 404
    assert stat.S_IMODE((other.home / "dev.env").stat().st_mode) == 0o600
    assert running_system.api.get("/events/none").status_code == 404

    assert other.stop(signal.SIGTERM) == 0
    assert other.left_over() == []
    assert not (other.home / "ready").exists()


def test_the_end_of_the_start_says_where_everything_is(running_system):
    said = running_system.output
    for name, path in (("PORT", "/"), ("PORT", "/admin/"), ("FLOWER_PORT", "/"), ("PORT", "/api/v1/docs")):
        assert f"http://127.0.0.1:{running_system.values[name]}{path}" in said
    assert f"demo / {running_system.values['DEMO_PASSWORD']}" in said
    assert curl_line(running_system.values["PORT"], running_system.values["DEMO_API_KEY"]) in said


def test_servers_that_are_given_are_used_and_none_is_started(running_system, start_system):
    servers = running_system.values
    with psycopg.connect(servers["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("CREATE DATABASE guest")
    given = {
        "DATABASE_URL": urlsplit(servers["DATABASE_URL"])._replace(path="/guest").geturl(),
        "REDIS_URL": urlsplit(servers["REDIS_URL"])._replace(path="/1").geturl(),
    }
    guest = start_system("web", home=running_system.home.parent / "guest", **given).wait_until_ready()
    assert {name: guest.values[name] for name in given} == given
    assert not (guest.home / "postgres").exists()
    assert not (guest.home / "valkey").exists()
    event = guest.event()
    guest.api.post("/events", json=event).raise_for_status()
    assert guest.stop(signal.SIGINT) == 0
    with psycopg.connect(given["DATABASE_URL"]) as connection:
        assert connection.execute("SELECT event_id FROM notifications_event").fetchall() == [
            (event["event_id"],)
        ]


def test_data_and_key_survive_a_restart(start_system):
    first = start_system("web").wait_until_ready()
    event = first.event()
    first.api.post("/events", json=event).raise_for_status()
    assert first.stop(signal.SIGHUP) == 0  # the terminal was closed
    assert first.left_over() == []

    again = start_system("web").wait_until_ready()
    assert again.story(event["event_id"])["event_id"] == event["event_id"]
    assert again.values["DEMO_API_KEY"] == first.values["DEMO_API_KEY"]
    assert again.stop(signal.SIGINT, signal.SIGINT) == 0
    assert again.left_over() == []


@pytest.mark.parametrize(
    ("name", "process", "why"),
    [
        ("PORT", "web", "in use"),
        ("SANDBOX_PORT", "sandbox", "in use"),
        ("POSTGRES_PORT", "Postgres", "in use"),
        ("VALKEY_PORT", "Valkey", "in use"),
    ],
)
def test_an_occupied_port_is_named_with_who_wanted_it(start_system, name, process, why):
    with socket.create_server(("127.0.0.1", 0)) as occupied:
        port = str(occupied.getsockname()[1])
        system = start_system("web", "sandbox", **{name: port})
        assert system.wait() != 0
    assert process in system.output
    assert why in system.output
    assert system.left_over() == []


def test_a_bad_knob_stops_the_start_with_its_name(start_system):
    system = start_system("web", TOCSIN_LEASE_S="10")
    assert system.wait() == 1
    assert "Raise TOCSIN_LEASE_S" in system.output
    assert system.left_over() == []


@pytest.mark.parametrize("begun", ["starting Postgres", "starting Valkey", "applying migrations"])
def test_an_interruption_while_it_starts_leaves_nothing(start_system, begun):
    system = start_system()
    eventually(lambda: begun in system.output, within_s=60)
    assert system.stop(signal.SIGINT, signal.SIGINT) in {0, 130}
    assert "Traceback" not in system.output
    assert system.left_over() == []


@pytest.mark.parametrize("part", ["logs", "valkey", "postgres"])
def test_nobody_else_on_the_machine_reads_its_data(running_system, part):
    assert stat.S_IMODE((running_system.home / part).stat().st_mode) == 0o700
