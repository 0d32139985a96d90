"""A real Chromium at a real dashboard."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright
from redis import Redis

from mixrelay.console.dashboard.app import create_app
from mixrelay.console.dashboard.options import DashboardSettings
from mixrelay.shared.queue import Queue
from mixrelay.shared.settings import Settings
from tests.support.bench import Bench
from tests.support.pages import serving

CHROMIUM = os.environ.get("MIXRELAY_TEST_CHROMIUM") or shutil.which("chromium")
SCREENSHOTS = os.environ.get("MIXRELAY_SCREENSHOTS")
"""A folder that gets pictures of the pages, for docs/dashboard.md."""
PICTURED = ("overview", "letters", "letter", "fix")
TALLEST = 1_400


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not CHROMIUM:
        pytest.skip("no chromium: install it, or name it in MIXRELAY_TEST_CHROMIUM")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def dashboard(redis_url: str) -> Iterator[str]:
    settings = DashboardSettings(environment="staging")
    with serving(create_app(Settings(redis_url=redis_url), settings, mounted=False)) as url:
        yield url


@pytest.fixture
def bench(redis: Redis) -> Bench:
    return Bench(Queue(redis))


@pytest.fixture
def open_page(browser: Browser, dashboard: str) -> Iterator[Callable[..., Page]]:
    """Opens a page; a script's error or a breach of the content policy fails the test."""
    contexts: list[BrowserContext] = []
    wrong: list[str] = []

    def opening(path: str = "/", *, dark: bool = False, width: int = 1280) -> Page:
        context = browser.new_context(
            base_url=dashboard,
            color_scheme="dark" if dark else "light",
            viewport={"width": width, "height": 900},
            reduced_motion="reduce",
        )
        context.set_default_timeout(15_000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if _is_wrong(said) else None)
        page.goto(path)
        return page

    yield opening
    for context in contexts:
        context.close()
    assert wrong == []


def _is_wrong(said: ConsoleMessage) -> bool:
    # A refusal's own status is told as an error, and is what a test may be about.
    return said.type == "error" and "422" not in said.text


@pytest.fixture
def picture() -> Callable[[Page, str], None]:
    """Keeps a picture of a page, where a folder for them is named."""

    def taking(page: Page, name: str) -> None:
        if SCREENSHOTS and name.partition("-")[0] in PICTURED:
            page.wait_for_timeout(300)  # the charts draw after they were fetched
            size = page.evaluate("[innerWidth, document.documentElement.scrollHeight]")
            page.screenshot(
                path=Path(SCREENSHOTS) / f"{name}.png",
                full_page=True,
                clip={"x": 0, "y": 0, "width": size[0], "height": min(size[1], TALLEST)},
            )

    return taking
