"""A circuit: closed, open after a failure, and half-open for one call."""

import pytest

from runtime.circuit import Circuit


class Away(Exception):
    pass


class Refused(Exception):
    pass


class Line:
    """Calls through a circuit at given times."""

    def __init__(self) -> None:
        self.now = 0.0
        self.circuit = Circuit(away=(Away,), refusal=Refused, pause_s=2.0, clock=lambda: self.now)

    def call(self, error: type[Exception] | None = None) -> None:
        with self.circuit.call():
            if error:
                raise error


@pytest.fixture
def line() -> Line:
    return Line()


def test_calls_pass_while_all_goes_well(line: Line) -> None:
    line.call()
    line.call()


def test_after_a_failure_calls_are_refused_for_the_pause(line: Line) -> None:
    with pytest.raises(Away):
        line.call(Away)
    line.now = 1.9
    with pytest.raises(Refused):
        line.call()
    line.now = 2.1
    line.call()
    line.call()


def test_one_call_finds_out_for_all_others(line: Line) -> None:
    with pytest.raises(Away):
        line.call(Away)
    line.now = 2.1
    with line.circuit.call(), pytest.raises(Refused):
        line.call()
    line.call()


def test_a_failed_probe_keeps_it_open(line: Line) -> None:
    with pytest.raises(Away):
        line.call(Away)
    line.now = 2.1
    with pytest.raises(Away):
        line.call(Away)
    line.now = 4.0
    with pytest.raises(Refused):
        line.call()


def test_a_probe_that_never_returns_does_not_keep_it_open_for_ever(line: Line) -> None:
    with pytest.raises(Away):
        line.call(Away)
    line.now = 2.1
    with line.circuit.call():
        line.now = 4.2
        line.call()


def test_an_error_of_another_kind_is_an_answer(line: Line) -> None:
    with pytest.raises(Away):
        line.call(Away)
    line.now = 2.1
    with pytest.raises(ZeroDivisionError):
        line.call(ZeroDivisionError)
    line.call()
