"""What the system checks refuse, and that the models and their migrations agree."""

from dataclasses import replace

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command

from config import settings_docs
from notifications import checks
from notifications.states import Channel, Priority
from notifications.transports.email.channel import EMAIL
from notifications.transports.email.transport import EmailTransport
from notifications.transports.registry import register, registered
from notifications.transports.spec import ChannelSpec, Fit


@pytest.fixture
def problems():
    def problems(**options):
        return {problem.id for problem in run_checks(**options)}

    return problems


class OtherTransport(EmailTransport):
    channel = Channel.SLACK


def another_channel(**changes) -> ChannelSpec:
    values = {"channel": Channel.SLACK, "fit": Fit(), "transport": OtherTransport} | changes
    return replace(EMAIL, **values)


def test_the_settings_of_the_tests_have_no_problem(problems) -> None:
    assert problems() == set()


def test_the_migrations_are_those_of_the_models(db) -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


@pytest.mark.parametrize(
    "unroutable",
    [
        {"transport": None},  # it has an address, and nothing sends to it
        {"channel": Channel.ACTIVE_SESSION, "fit": Fit()},  # stands for whatever is live, never a step
    ],
)
def test_a_registered_channel_that_cannot_be_routed_to_is_refused(problems, unroutable) -> None:
    with registered(another_channel(**unroutable)):
        assert "tocsin.E001" in problems()


@pytest.mark.parametrize(
    ("lacking", "part"),
    [
        ({"address": None}, "address form"),
        ({"waits_s": {Priority.NORMAL: (1.0,)}}, "retry schedule for CRITICAL"),
        ({"fit": Fit(has_layout=True)}, "layouts/slack.txt"),
        ({"fit": Fit(has_layout=True, has_markup=True), "templates": None}, "layouts/slack.html"),
        ({"transport": EmailTransport}, "transport of its own: its class names another channel"),
    ],
)
def test_a_registered_channel_that_lacks_a_part_is_refused(lacking, part) -> None:
    with registered(another_channel(**lacking)):
        assert f"SLACK has no {part}." in [problem.msg for problem in checks.channels_are_complete()]


def test_a_complete_channel_has_no_problem(problems) -> None:
    with registered(another_channel()):
        assert problems() == set()


def test_a_channel_is_registered_once() -> None:
    with pytest.raises(ImproperlyConfigured):
        register(EMAIL)


@pytest.mark.parametrize(("lease_s", "found"), [(50, {"tocsin.E002"}), (51, set())])
def test_a_lease_that_ends_before_its_task_is_refused(problems, override, lease_s, found) -> None:
    override(lease_s=lease_s)
    assert problems() == found


@pytest.mark.parametrize(("budget_s", "found"), [(35.0, {"tocsin.E003"}), (34.9, set())])
def test_a_batch_that_ends_after_its_task_is_refused(problems, override, budget_s, found) -> None:
    override(batch_budget_s=budget_s, send_timeout_s=10.0)
    assert problems() == found


def test_the_tables_of_settings_are_those_of_the_code() -> None:
    page = settings_docs.PAGE.read_text()
    assert "`TOCSIN_ACK_TIMEOUT_MS`" in page
    assert settings_docs.written(page) == page, "run make docs"


def test_a_variable_that_is_no_setting_is_named(problems, monkeypatch) -> None:
    monkeypatch.setenv("TOCSIN_LEASE_SECONDS", "5")
    assert problems() == {"tocsin.W001"}
    monkeypatch.delenv("TOCSIN_LEASE_SECONDS")
    monkeypatch.setenv("TOCSIN_LEASE_S", "55")
    assert problems() == set()


@pytest.mark.parametrize("name", ["window_frames", "window_bytes", "slow_close_s", "resync_s"])
def test_a_session_that_could_not_be_served_is_refused(problems, override, name) -> None:
    override(**{name: 0})
    assert problems() == {"tocsin.E005"}
