"""Node with the client's development packages, and a Daphne that a browser sees die and come back."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from sandbox.system.start import free_port
from tests.gateway.conftest import (  # noqa: F401  fixtures
    ann,
    daphne,
    open_page,
    producer,
    valkey,
    venue,
)
from tests.gateway.servers import database_url, running_daphne
from tests.kit.node import CLIENT, install_packages, missing
from tests.kit.sign_in import cookie_of

_NO_CHROMIUM = "Chromium is missing: apt-get install chromium"
_QUIET = ["--no-sandbox", "--no-first-run", "--disable-background-networking", "--disable-sync"]


@pytest.fixture(scope="session")
def run_node() -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Run Node in clients/js, with the packages of its lock file installed."""
    install_packages()

    def run(*arguments: str, given: str = "") -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["node", *arguments], cwd=CLIENT, input=given, capture_output=True, text=True, check=False
        )

    return run


class RestartingServer:
    """A Daphne on one port, which may be away for a while."""

    def __init__(self, folder: Path, database: str) -> None:
        self._log = folder / "daphne.log"
        self._database = database_url(database)
        self._running: ExitStack | None = None
        self.port = free_port(0)
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        if self._running is None:
            running = running_daphne(self._log, wanted_port=self.port, DATABASE_URL=self._database)
            self._running = ExitStack()
            self._running.enter_context(running)

    def stop(self) -> None:
        if self._running is not None:
            self._running.close()
            self._running = None


@pytest.fixture(scope="module")
def one_server(tmp_path_factory: pytest.TempPathFactory, django_db_setup: None) -> Iterator[RestartingServer]:
    from django.db import connection

    server = RestartingServer(tmp_path_factory.mktemp("daphne"), connection.settings_dict["NAME"])
    yield server
    server.stop()


@pytest.fixture
def server(one_server: RestartingServer) -> RestartingServer:
    """The server, running; a test may stop it."""
    one_server.start()
    return one_server


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        missing(_NO_CHROMIUM, "TOCSIN_REQUIRE_BROWSER")
    with sync_playwright() as playwright, pytest.MonkeyPatch.context() as environment:
        # Playwright's loop runs in this thread between its calls; the database is asked only then.
        environment.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        started = playwright.chromium.launch(executable_path=path, args=_QUIET)
        yield started
        started.close()


class Tab:
    """One page, with the sockets that it opened and what went wrong in it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.sockets: list[str] = []
        self.problems: list[str] = []
        page.set_default_timeout(60_000)  # a server that ends may ask for half a minute of patience
        page.on("websocket", lambda socket: self.sockets.append(socket.url))
        page.on("pageerror", lambda error: self.problems.append(str(error)))


@pytest.fixture
def window(chromium: Browser, server: RestartingServer, ann) -> Iterator[BrowserContext]:  # noqa: F811
    """A browser in which ann has signed in."""
    context = chromium.new_context(base_url=server.url)
    name, value = cookie_of(ann).split("=", 1)
    context.add_cookies([{"name": name, "value": value, "url": server.url}])
    yield context
    context.close()


@pytest.fixture
def open_tab(window: BrowserContext) -> Iterator[Callable[[str], Tab]]:
    tabs: list[Tab] = []

    def open_one(path: str) -> Tab:
        tabs.append(Tab(window.new_page()))
        tabs[-1].page.goto(path)
        return tabs[-1]

    yield open_one
    assert [problem for tab in tabs for problem in tab.problems] == []
