"""Long texts and full tables stay in their places, on a narrow screen too."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page, expect

from mixrelay.console.dashboard.pages import workers
from mixrelay.shared.queue import JobKind, Lane, LetterFilter, new_id
from tests.browser.scenes import bury
from tests.support.bench import Bench

WIDTHS = [1280, 390]
LONG = "The data team renames every key until Monday; ask Ann before you resume, whatever it says."
OUTSIDE = """() => [...document.querySelectorAll("td, th")].filter((cell) => {
  const text = document.createRange();
  text.selectNodeContents(cell);
  return text.getBoundingClientRect().right > cell.getBoundingClientRect().right + 1;
}).map((cell) => cell.textContent.trim())"""
"""The cells whose text lies over their neighbours."""
PIXELS = """(canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const green = (i) => data[i + 3] > 200 && data[i + 1] - 30 > Math.max(data[i], data[i + 2]);
  return [...data.keys()].filter((i) => i % 4 === 0 && green(i)).length;
}"""
"""How much of a chart is green, as its median is."""


def wider(page: Page) -> int:
    found: int = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return found


@pytest.mark.parametrize("width", WIDTHS)
def test_a_long_reason_of_a_pause_covers_nothing(
    open_page: Callable[..., Page], bench: Bench, width: int
) -> None:
    bench.queue.pause(Lane.EVENT, who="ann@ops", why=LONG * 2)
    page = open_page("/", width=width)

    expect(page.locator("#paused-heading")).to_be_visible()
    assert page.evaluate(OUTSIDE) == []
    assert wider(page) <= 0


@pytest.mark.parametrize("width", WIDTHS)
def test_a_letter_with_a_past_fits(
    open_page: Callable[..., Page], bench: Bench, width: int
) -> None:
    number = bury(bench)[0]
    bench.queue.replay([number], who="ann", why="")
    batch = bench.take()
    bench.bury(batch, error="properties.time: must be an integer of seconds or milliseconds")

    page = open_page(f"/letters/{number}", width=width)

    expect(page.get_by_role("heading", name="History")).to_be_visible()
    assert page.evaluate(OUTSIDE) == []
    assert wider(page) <= 0


@pytest.mark.parametrize("width", WIDTHS)
def test_the_workers_shifts_fit(
    open_page: Callable[..., Page], monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    shift = workers.Shift(
        "mixrelay-shift-da564876-3", "mixrelay.worker.shift.shift", datetime.now(UTC), 1_940, ""
    )
    monkeypatch.setattr(workers, "_shifts", lambda *_: [shift])

    page = open_page("/workers", width=width)

    expect(page.get_by_role("table").first).to_contain_text("1,940")
    assert wider(page) <= 0
    nav = page.locator("nav").first
    assert nav.evaluate("nav => nav.scrollWidth - nav.clientWidth") <= 0, "all pages can be seen"


def test_a_job_and_its_letters_stand_apart_in_the_audit(
    open_page: Callable[..., Page], bench: Bench
) -> None:
    bury(bench)
    jobs = bench.queue.jobs
    job = jobs.start(JobKind.DISCARD, LetterFilter(), job_id=new_id(), who="ann", rate=1)
    jobs.step(job)
    page = open_page("/audit")

    row = page.get_by_role("row").nth(1)
    links = [link.inner_text() for link in row.get_by_role("link").all()]
    assert len(links) > 1, "a job, and the letters it began with"
    assert " ".join(links) in row.inner_text()


def test_a_minute_alone_is_seen_in_the_chart(open_page: Callable[..., Page], bench: Bench) -> None:
    minute = bench.redis.time()[0] // 60 - 20
    counted = {"received": 5, "delivered": 5, "latency:0.5": 5}
    bench.redis.hset(bench.key(f"minute:{minute}"), mapping=counted)

    page = open_page("/")

    expect(page.locator("[data-spoken]")).to_contain_text("5 delivered")
    canvas = page.locator("[data-chart=latency] canvas")
    assert canvas.evaluate(PIXELS) > 3
