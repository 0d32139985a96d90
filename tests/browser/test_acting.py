"""Every action of the page, by mouse and by keyboard alone."""

import json
from collections.abc import Callable

from playwright.sync_api import Page, expect

from mixrelay.shared.queue import JobState, LetterFilter
from tests.browser.scenes import bury
from tests.support.bench import Bench


def letters(bench: Bench) -> int:
    return bench.queue.books().dead


def tab_to(page: Page, selector: str, most: int = 80) -> None:
    """Presses Tab until something that matches has the focus."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate("s => document.activeElement?.matches(s)", selector):
            return
    raise AssertionError(f"Tab does not reach {selector}")


def test_filter_then_replay_some(open_page: Callable[..., Page], bench: Bench) -> None:
    bury(bench)
    page = open_page("/letters")

    page.get_by_label("Reason").select_option("rejected")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("row")).to_have_count(4 + 1 + 6 + 1)
    assert "reason=rejected" in page.url
    boxes = page.locator('input[name="id"]')
    boxes.nth(0).check()
    boxes.nth(1).check()
    page.get_by_role("textbox", name="Why").fill("the service was mended")
    page.get_by_role("button", name="Replay chosen").click()

    expect(page.get_by_role("status").first).to_contain_text("2 of 2 replayed.")
    assert "reason=rejected" in page.url, "the filter is kept"
    assert letters(bench) == 22


def test_choose_a_whole_page_and_discard_it(open_page: Callable[..., Page], bench: Bench) -> None:
    bury(bench)
    page = open_page("/letters?reason=invalid")

    page.get_by_label("Choose all on this page").check()
    page.get_by_role("button", name="Discard chosen").click()
    expect(page.get_by_role("status").first).to_contain_text("Say why")
    assert letters(bench) == 24
    page.get_by_label("Choose all on this page").check()
    page.get_by_role("textbox", name="Why").fill("test orders")
    page.get_by_role("button", name="Discard chosen").click()

    expect(page.get_by_role("status").first).to_contain_text("6 of 6 discarded.")
    assert letters(bench) == 18


def test_one_letter_is_looked_at_edited_and_replayed(
    open_page: Callable[..., Page], bench: Bench
) -> None:
    number = bury(bench)[0]
    page = open_page(f"/letters/{number}")

    expect(page.locator("#message")).to_contain_text('"event": "Order Completed"')
    page.get_by_role("link", name="Edit…").click()
    field = page.get_by_label("The message")
    field.fill(field.input_value().replace("Order Completed", "Order Paid"))
    page.get_by_role("button", name="Save and replay").click()

    expect(page.get_by_role("status").first).to_contain_text("1 of 1 replayed.")
    [payload] = bench.lane("event")
    assert json.loads(json.loads(payload)[1])["data"]["event"] == "Order Paid"


def test_the_original_is_put_back(open_page: Callable[..., Page], bench: Bench) -> None:
    number = bury(bench)[0]
    before = bench.queue.letters.get(number)
    page = open_page(f"/letters/{number}/edit")
    field = page.get_by_label("The message")
    field.fill(field.input_value().replace("Order Completed", "Order Paid"))
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("heading", name="As it was pushed")).to_be_visible()

    page.get_by_role("link", name="Edit…").click()
    page.get_by_role("button", name="Put the original back").click()

    expect(page.get_by_text("original put back")).to_be_visible()
    after = bench.queue.letters.get(number)
    assert before is not None
    assert after is not None
    assert after.payload == before.payload


def test_all_that_match_by_keyboard_alone(open_page: Callable[..., Page], bench: Bench) -> None:
    bury(bench)
    page = open_page("/letters?reason=exhausted")

    tab_to(page, "a[href*='/jobs/plan/discard']")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Discard all that match")
    tab_to(page, "input[name=typed]")
    page.keyboard.type("6")
    tab_to(page, "input[name=why]")
    page.keyboard.type("orders of a test")
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", name="0 of 6 moved")).to_be_visible()
    [job] = bench.queue.jobs.newest()
    while not job.state.is_over:
        step = bench.queue.jobs.step(job).job
        assert step is not None
        job = step
    expect(page.get_by_role("heading", name="6 of 6 moved")).to_be_visible()
    assert letters(bench) == 18
    page.goto("/audit")
    expect(page.get_by_role("table")).to_contain_text("orders of a test")


def test_the_skip_link_and_the_boxes_work_by_keyboard(
    open_page: Callable[..., Page], bench: Bench
) -> None:
    bury(bench)
    page = open_page("/letters")

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    tab_to(page, 'input[name="id"]')
    page.keyboard.press("Space")
    tab_to(page, "button[value=replay]")
    page.keyboard.press("Enter")

    expect(page.get_by_role("status").first).to_contain_text("1 of 1 replayed.")
    assert letters(bench) == 23


def test_a_wrong_number_starts_nothing(open_page: Callable[..., Page], bench: Bench) -> None:
    bury(bench)
    page = open_page("/jobs/plan/replay")

    page.get_by_label("Type 24 to confirm").fill("23")
    page.get_by_role("button", name="Replay 24").click()

    expect(page.get_by_role("alert")).to_contain_text("Nothing was started")
    assert bench.queue.jobs.newest() == []


def test_a_job_is_slowed_cancelled_and_resumed(
    open_page: Callable[..., Page], bench: Bench
) -> None:
    bury(bench)
    page = open_page("/jobs/plan/replay?status=400")
    page.get_by_label("Type 12 to confirm").fill("12")
    page.get_by_label("Letters a second").fill("1")
    page.get_by_role("button", name="Replay 12").click()

    page.get_by_label("Letters a second").fill("5")
    page.get_by_role("button", name="Set the rate").click()
    expect(page.get_by_text("5 letters a second")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#job-heading .badge")).to_have_text("cancelled")
    page.get_by_role("button", name="Resume").click()

    expect(page.locator("#job-heading .badge")).to_have_text("queued")
    [job] = bench.queue.jobs.newest()
    assert job.state is JobState.QUEUED
    assert job.rate == 5


def test_two_operators_and_one_letter(open_page: Callable[..., Page], bench: Bench) -> None:
    number = bury(bench)[0]
    mine, theirs = open_page(f"/letters/{number}"), open_page(f"/letters/{number}")

    theirs.get_by_role("button", name="Replay").click()
    mine.get_by_label("Why it is discarded").fill("mine")
    mine.get_by_role("button", name="Discard").click()

    expect(theirs.get_by_role("status").first).to_contain_text("1 of 1 replayed.")
    expect(mine.get_by_role("status").first).to_contain_text(
        "0 of 1 discarded. 1 had been moved by someone else before."
    )
    assert bench.queue.books().difference == 0
    assert bench.queue.letters.count(LetterFilter()) == 23


def test_a_lane_is_paused_and_resumed_by_keyboard_alone(
    open_page: Callable[..., Page], bench: Bench
) -> None:
    page = open_page("/")

    page.locator("#change-event").focus()
    with page.expect_response("**/live"):
        pass
    expect(page.locator("#change-event")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/lanes/event")
    tab_to(page, 'input[name="why"]')
    page.keyboard.type("the project moves")
    page.keyboard.press("Enter")

    expect(page.get_by_role("status").first).to_contain_text("The lane is paused.")
    assert [hold.why for hold in bench.queue.books().held] == ["the project moves"]
    page.goto("/")
    expect(page.locator("#live .banner").first).to_contain_text("event has been paused by")
    tab_to(page, "#change-event")
    page.keyboard.press("Enter")
    page.wait_for_url("**/lanes/event")
    tab_to(page, "button")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").first).to_contain_text("The lane is resumed")
    assert bench.queue.books().held == ()
