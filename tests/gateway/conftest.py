"""A real Daphne on the test database, and what a producer and a person need to talk to it."""

import os
from collections.abc import Callable, Iterator

import pytest
import redis

from tests.gateway.other_ends import Page, Producer, Stream, pages_of
from tests.gateway.servers import ALLOWED_ORIGIN, AUTH_WITHIN_S, Server, running_server_of


@pytest.fixture(scope="session")
def daphne(
    django_db_setup: None, tmp_path_factory: pytest.TempPathFactory, django_db_blocker
) -> Iterator[Server]:
    with running_server_of(
        tmp_path_factory.mktemp("daphne") / "daphne.log",
        TOCSIN_AUTH_WITHIN_S=str(AUTH_WITHIN_S),
        CORS_ALLOWED_ORIGINS=ALLOWED_ORIGIN,
    ) as server:
        yield server


@pytest.fixture
def valkey() -> Iterator["redis.Redis"]:
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        yield client


@pytest.fixture
def ann(transactional_db: None):
    from users.models import User

    return User.objects.create_user("ann", external_id="ann")


@pytest.fixture
def bob(transactional_db: None):
    from users.models import User

    return User.objects.create_user("bob", external_id="bob")


@pytest.fixture
def venue(transactional_db: None):
    from users.models import Source

    return Source.objects.create(name="venue", allow_stream=True)


@pytest.fixture
def producer(daphne: Server, venue, ann) -> Iterator[Producer]:
    from users import keys

    with Producer(daphne, keys.issue(venue, ["publish", "read"])) as client:
        yield client


@pytest.fixture
def open_page(daphne: Server) -> Iterator[Callable[..., Page]]:
    with pages_of(daphne) as open_one:
        yield open_one


@pytest.fixture
def stream(valkey, venue, ann) -> Stream:
    valkey.flushdb()
    valkey.xgroup_create("tocsin:events", "tocsin", id="0", mkstream=True)
    return Stream(valkey)
