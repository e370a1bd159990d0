"""Where programs call, also Django's own error pages are problem documents."""

import pytest
from django.test import Client


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("get", "/hooks/nobody", (404, "not_found")),
        ("get", "/metrics/nothing", (404, "not_found")),
        ("patch", "/api/v1/tickets", (405, "method_not_allowed")),
        ("get", "/api/v1/nothing", (404, "not_found")),
    ],
)
def test_an_error_of_django_has_a_code(method: str, path: str, expected: tuple[int, str], db: None) -> None:
    answer = getattr(Client(), method)(path)
    assert answer["Content-Type"] == "application/problem+json"
    assert (answer.status_code, answer.json()["code"]) == expected
