"""Wrong passwords at the login page and at the admin's."""

import pytest
from django.test import Client

from gateway.auth import logins
from gateway.auth.logins import OF_A_NAME, OF_AN_ADDRESS, WITHIN_S, Attempts


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def attempts(clock) -> Attempts:
    return Attempts(clock)


def test_a_name_has_a_few_attempts_and_gets_them_back(attempts, clock) -> None:
    begun = [attempts.begin("192.0.2.1", "ann") for _ in range(OF_A_NAME + 2)]
    assert begun == [True] * OF_A_NAME + [False] * 2
    assert attempts.begin("192.0.2.2", "ann")  # nobody can lock ann out from elsewhere
    assert attempts.begin("192.0.2.1", "bob")
    clock.now += WITHIN_S + 1
    assert attempts.begin("192.0.2.1", "ann")


def test_an_address_has_a_few_attempts_for_all_names(attempts) -> None:
    begun = [attempts.begin("192.0.2.1", f"person{number}") for number in range(OF_AN_ADDRESS + 5)]
    assert begun == [True] * OF_AN_ADDRESS + [False] * 5


def test_a_good_password_is_not_counted(attempts) -> None:
    for _ in range(OF_AN_ADDRESS * 2):
        assert attempts.begin("192.0.2.1", "ann")
        attempts.succeed("192.0.2.1", "ann")


def test_what_is_remembered_is_bounded(attempts) -> None:
    for number in range(20_000):
        attempts.begin(f"192.0.2.{number}", "ann")
    assert len(attempts._counts) <= logins._REMEMBERED + 2


@pytest.mark.parametrize("path", ["/login/", "/admin/login/"])
def test_the_pages_stop_checking(ann, path: str) -> None:
    ann.is_staff = True
    ann.set_password("right")
    ann.save()
    client = Client(REMOTE_ADDR=f"198.51.100.{len(path)}")
    for _ in range(OF_A_NAME):
        answer = client.post(path, {"username": "ann", "password": "wrong"})
        assert b"Too many attempts" not in answer.content
    answer = client.post(path, {"username": "ann", "password": "right"})
    assert b"Too many attempts" in answer.content
    if path == "/login/":
        assert (answer.status_code, answer["Retry-After"]) == (429, str(int(WITHIN_S)))
