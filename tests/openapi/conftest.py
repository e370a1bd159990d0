"""The OpenAPI document of a running server, and a key that may do everything."""

import json
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from config.env import ROOT
from tests.gateway.conftest import ann, bob, daphne, venue  # noqa: F401  fixtures
from tests.gateway.servers import Server
from tests.kit.node import install_packages

TOOLS = ROOT / "tests/openapi"


@pytest.fixture(scope="session")
def tools() -> Path:
    install_packages(TOOLS)
    return TOOLS / "node_modules/.bin"


@pytest.fixture(scope="session")
def document(daphne: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: F811
    answer = httpx.get(f"{daphne.url}/api/v1/openapi.json", trust_env=False, timeout=30).raise_for_status()
    path = tmp_path_factory.mktemp("openapi") / "openapi.json"
    path.write_text(json.dumps(answer.json()))
    return path


@dataclass
class Api:
    """Where a generated client finds the service, and its key."""

    url: str
    key: str


@pytest.fixture
def api(daphne: Server, venue, ann) -> Api:  # noqa: F811
    from users import keys
    from users.models import ApiKey

    return Api(daphne.url, keys.issue(venue, list(ApiKey.SCOPES)))
