"""What pages of other origins may call, with a person's token."""

import pytest
from django.test import AsyncClient, Client

from gateway.checks import allowed_origins_are_exact
from tests.kit.sign_in import JWT_KEY_SETTING, cookie_of, token_for

SHOP = "https://shop.example"
INBOX = "/api/v1/users/me/inbox"


@pytest.fixture(autouse=True)
def allowed(settings) -> None:
    settings.CORS_ALLOWED_ORIGINS = [SHOP, "https://desk.shop.example:8443"]
    settings.JWT_PUBLIC_KEYS = [JWT_KEY_SETTING["JWT_PUBLIC_KEYS"].replace("\\n", "\n")]


def preflight(path: str, origin: str = SHOP, method: str = "PUT"):
    asks = {"Origin": origin, "Access-Control-Request-Method": method}
    return Client().options(path, headers=asks | {"Access-Control-Request-Headers": "authorization"})


def cors_headers(answer) -> dict[str, str]:
    return {name: value for name, value in answer.items() if name.startswith("Access-Control-")}


@pytest.mark.parametrize("path", [INBOX, "/api/v1/users/me/destinations/7", "/api/v1/tickets"])
def test_a_preflight_of_an_allowed_page_is_answered(path: str) -> None:
    answer = preflight(path)
    assert (answer.status_code, answer.content, answer["Vary"]) == (204, b"", "Origin")
    assert cors_headers(answer) == {
        "Access-Control-Allow-Origin": SHOP,
        "Access-Control-Allow-Methods": "GET, POST, PUT, PATCH, DELETE",
        "Access-Control-Allow-Headers": "Authorization, Content-Type",
        "Access-Control-Expose-Headers": "Retry-After, Allow",
        "Access-Control-Max-Age": "3600",
    }


@pytest.mark.parametrize(
    "origin",
    [
        "http://shop.example",
        "https://shop.example:8443",
        "https://desk.shop.example",
        "https://evil.shop.example",
        "https://shop.example.evil.example",
        "null",
    ],
)
def test_another_scheme_host_or_port_is_told_what_is_missing(origin: str) -> None:
    answer = preflight(INBOX, origin)
    assert (answer.status_code, answer.json()["code"]) == (403, "origin_not_allowed")
    assert cors_headers(answer) == {}


@pytest.mark.parametrize(
    "path", ["/api/v1/events", "/api/v1/users/ann", "/api/v1/users", "/admin/", "/login/"]
)
def test_what_needs_a_key_or_a_session_is_not_shared(path: str) -> None:
    assert cors_headers(preflight(path)) == {}


@pytest.mark.django_db(transaction=True)
def test_a_page_reads_answers_and_errors_with_a_token(ann) -> None:
    token = {"Authorization": f"Bearer {token_for('ann')}"}
    read = Client().get(INBOX, headers=token | {"Origin": SHOP})
    assert (read.status_code, read["Access-Control-Allow-Origin"]) == (200, SHOP)
    assert "Access-Control-Allow-Credentials" not in read.headers
    refused = Client().get(INBOX, headers={"Authorization": "Bearer x", "Origin": SHOP})
    assert (refused.status_code, refused["Access-Control-Allow-Origin"]) == (401, SHOP)
    foreign = Client().get(INBOX, headers=token | {"Origin": "https://evil.example"})
    assert cors_headers(foreign) == {}
    for answer in (read, refused, foreign, Client().get(INBOX)):
        assert "Origin" in answer["Vary"]


@pytest.mark.django_db(transaction=True)
async def test_behind_an_asynchronous_server_too() -> None:
    answer = await AsyncClient().get(INBOX, headers={"Origin": SHOP})
    assert (answer.status_code, answer["Access-Control-Allow-Origin"]) == (401, SHOP)


@pytest.mark.django_db(transaction=True)
def test_a_cookie_changes_nothing_from_there(ann) -> None:
    answer = Client().post("/api/v1/tickets", headers={"Cookie": cookie_of(ann), "Origin": SHOP})
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize(
    "entry",
    [
        "*",
        "null",
        "shop.example",
        "https://*.shop.example",
        "https://shop.example/",
        "https://shop.example/bell",
        "https://Shop.example",
        "https://shop.example:443",
        "http://shop.example:80",
        "https://x@shop.example",
        "wss://shop.example",
        "",
    ],
)
def test_an_entry_that_no_page_could_match_is_named(settings, entry: str) -> None:
    settings.CORS_ALLOWED_ORIGINS = [SHOP, entry]
    [found] = allowed_origins_are_exact()
    assert (found.id, f" {entry} " in found.msg) == ("tocsin.E011", True)


def test_beyond_a_developers_machine_pages_have_tls(settings) -> None:
    settings.CORS_ALLOWED_ORIGINS = ["http://localhost:3000", "http://[::1]:3000", SHOP]
    assert allowed_origins_are_exact() == []
    settings.PRODUCTION = True
    assert len(allowed_origins_are_exact()) == 2
