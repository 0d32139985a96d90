"""Reading without being disturbed, and by keys alone."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.scenes import an_hour, bury, night
from tests.support.bench import Bench, event


def test_the_first_letter_is_five_keys_away_and_the_next_one_more(
    open_page: Callable[..., Page], bench: Bench
) -> None:
    bury(bench)
    page = open_page("/")
    expect(page.locator("#live")).to_be_visible()

    page.keyboard.press("d")
    expect(page.get_by_role("heading", name="Dead letters", exact=True)).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/letters?group=*")
    page.keyboard.press("j")
    page.keyboard.press("Enter")

    page.wait_for_url("**/letters/0-*")
    first = page.url
    page.keyboard.press("j")
    page.wait_for_url(lambda url: url != first)
    page.keyboard.press("k")
    page.wait_for_url(first)
    expect(page.get_by_role("heading", level=1)).to_contain_text("Letter 0-")


def test_keys_can_be_turned_off_and_do_nothing_where_one_types(
    open_page: Callable[..., Page], bench: Bench
) -> None:
    bury(bench)
    page = open_page("/letters")
    page.keyboard.press("/")
    page.keyboard.type("djx/")
    expect(page.locator("input[name=event]")).to_have_value("djx/")
    page.get_by_role("button", name="Turn off").click()
    page.locator("h1").click()
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.dataset.open") is None


def test_shift_chooses_all_between_two_boxes_and_the_bar_counts(
    open_page: Callable[..., Page], bench: Bench
) -> None:
    bury(bench)
    page = open_page("/letters")
    boxes = page.locator('input[name="id"]')
    boxes.nth(1).click()
    boxes.nth(6).click(modifiers=["Shift"])
    expect(page.locator("[data-chosen]")).to_have_text("6 chosen")
    expect(page.locator('input[name="id"]:checked')).to_have_count(6)


def test_hovering_over_a_chart_moves_nothing(open_page: Callable[..., Page], bench: Bench) -> None:
    night(bench)
    an_hour(bench)
    page = open_page("/")
    chart = page.locator(".chart canvas").first
    expect(chart).to_be_visible()
    chart.scroll_into_view_if_needed()
    heights = set()
    box = chart.bounding_box()
    assert box
    section = page.locator(".charts")
    before = section.evaluate("one => one.offsetHeight")
    for place in (0.2, 0.5, 0.8):
        page.mouse.move(box["x"] + box["width"] * place, box["y"] + box["height"] / 2)
        heights.add(section.evaluate("one => one.offsetHeight"))
    assert heights == {before}


def test_a_text_that_is_selected_stays_selected_while_figures_come_anew(
    open_page: Callable[..., Page], bench: Bench
) -> None:
    bench.route(event("one"))
    page = open_page("/")
    chosen = "getSelection().toString()"
    page.evaluate("getSelection().selectAllChildren(document.querySelector('#live .banner h2'))")
    words = page.evaluate(chosen)
    assert words.startswith("Degraded")
    with page.expect_response("**/live"), page.expect_response("**/live"):
        pass
    with page.expect_response("**/live"):
        pass
    assert page.evaluate(chosen) == words
    page.evaluate("getSelection().removeAllRanges()")
    bench.route(*(event("two") for _ in range(41)))
    expect(page.locator("dt:text-is('Backlog') + dd")).to_have_text("42")
