"""Letters that no index finds: the page stays quick, and all that match can be acted on."""

import html
import re

import pytest

from mixrelay.console.dashboard import counting
from tests.support.bench import event

MANY = 5_200
"""More than one look takes."""
COUNT_ON = re.compile(r'<noscript><a class="button" href="([^"]+)"')
COUNTED = re.compile(r'hx-get="([^"]*/letters/counted[^"]*)"')


@pytest.fixture
def one_old(bench):
    """Many letters, of which the oldest alone is the event `Rare`."""
    for name, times in (("Rare", 1), ("Common", MANY)):
        bench.route(*(event(name) for _ in range(times)))
        while hasattr(batch := bench.reserve(), "members"):
            bench.bury(batch)


@pytest.mark.usefixtures("one_old")
def test_all_that_match_are_acted_on_though_no_page_has_shown_one(page):
    shown = page.get("/letters?event=Rare").text

    assert "None among the 5,000 letters looked at so far" in shown
    assert 'href="/jobs/plan/replay?event=Rare"' in shown
    none = page.get("/letters?reason=poison").text
    assert "/jobs/plan/replay?reason" not in none, "nothing to act on"


@pytest.mark.usefixtures("one_old")
def test_a_plan_comes_to_its_end_without_scripts_too(page):
    shown, portions = page.get("/jobs/plan/replay?event=Common").text, 0
    while found := COUNT_ON.search(shown):
        shown, portions = page.get(html.unescape(found[1])).text, portions + 1
        assert portions < 5, "it counts on, and does not begin anew"

    assert f'name="planned" value="{MANY}"' in shown
    assert 'name="event" value="Common"' in shown
    assert portions == 1


@pytest.mark.usefixtures("one_old")
def test_a_page_of_many_letters_does_not_wait_for_their_number(page):
    shown = page.get("/letters?event=Common").text

    assert "not counted yet, 5,201 to look at" in shown
    while found := COUNTED.search(shown):
        shown = page.get(html.unescape(found[1])).text
    assert f'data-count="{MANY}"' in shown


def test_the_number_of_few_stands_there_at_once(page, bench):
    bench.route(event("a"), event("b"))
    bench.bury(bench.take())

    assert 'data-count="1"' in page.get("/letters?event=a").text
    assert counting.LOOKED_AT_BESIDE >= 2


@pytest.mark.parametrize(
    "address",
    [
        "/letters/counted?event=a&place=x&looked=²",
        "/letters/counted?event=a&n_event=7",
        "/jobs/plan/replay?event=a&place=x&n_event=7",
        "/jobs/plan/replay/counted?event=a&place=x&n_event=7",
        "/letters?said=replay&moved=²&of=1",
        "/audit?before=²-1",
    ],
)
def test_an_address_that_was_cut_or_written_by_hand_begins_anew(page, bench, address):
    bench.route(event("a"))
    bench.bury(bench.take())

    answer = page.get(address)

    assert answer.status_code == 200
    for count in re.findall(r'(?:data-count|name="planned" value)="(\d+)"', answer.text):
        assert count == "1"
