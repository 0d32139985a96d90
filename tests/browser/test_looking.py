"""What an operator sees, on every screen, and whether everyone can see it."""

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from redis import Redis
from rq import Queue as RqQueue
from rq import SimpleWorker

from mixrelay.shared.queue import JobKind, LetterFilter, new_id
from tests.browser.scenes import an_hour, night
from tests.support.bench import Bench, event

SCREENS = [("light", 1280), ("dark", 1280), ("light", 390)]
SERIOUS = ("serious", "critical")


def pages(bench: Bench) -> dict[str, str]:
    letter = night(bench)[0]
    an_hour(bench)
    bench.queue.discard([letter], who="ann@ops", why="a test order")
    wanted = LetterFilter(reason="rejected")
    job = bench.queue.jobs.start(JobKind.REPLAY, wanted, job_id=new_id(), who="ann", planned=6)
    number = next(iter(bench.queue.letters.find(LetterFilter()))).id
    return {
        "overview": "/",
        "lane": "/lanes/event",
        "letters": "/letters",
        "letter": f"/letters/{number}",
        "edit": f"/letters/{number}/edit",
        "fix": "/letters/fix?reason=invalid&op=delete&path=properties.time&value=",
        "plan": "/jobs/plan/replay?reason=exhausted",
        "job": f"/jobs/{job.id}",
        "jobs": "/jobs",
        "audit": "/audit",
        "workers": "/workers",
    }


@pytest.mark.parametrize(("scheme", "width"), SCREENS)
def test_axe_finds_nothing_serious_and_nothing_is_cut_off(
    open_page: Callable[..., Page],
    picture: Callable[[Page, str], None],
    bench: Bench,
    scheme: str,
    width: int,
) -> None:
    for name, path in pages(bench).items():
        page = open_page(path, dark=scheme == "dark", width=width)
        expect(page.locator("main")).to_be_visible()
        picture(page, f"{name}-{'narrow' if width < 500 else scheme}")
        found = Axe().run(page).response["violations"]
        bad = [one for one in found if one["impact"] in SERIOUS]
        told = [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in bad]
        assert not told, f"{name}: {told}"
        wider = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wider <= 0, f"{name} is {wider} pixels wider than the screen"


def test_what_is_wrong_stands_first(open_page: Callable[..., Page], bench: Bench) -> None:
    night(bench)
    page = open_page("/")

    banner = page.locator("#live .banner").first

    expect(banner).to_contain_text("no worker runs. Start mixrelay worker.")
    expect(page.get_by_role("table").first).to_contain_text("503 from Mixpanel")


def test_a_quiet_queue_says_that_all_is_well(open_page: Callable[..., Page], redis: Redis) -> None:
    queue = RqQueue("mixrelay", connection=redis)
    SimpleWorker([queue], connection=redis).register_birth()
    expect(open_page("/").get_by_role("status")).to_contain_text("All is well")


def test_the_figures_live(open_page: Callable[..., Page], bench: Bench) -> None:
    page = open_page("/")
    backlog = page.locator("dt:text-is('Backlog') + dd")
    expect(backlog).to_have_text("0")

    bench.route(*(event("one") for _ in range(1_234)))

    expect(backlog).to_have_text("1,234")


def test_the_charts_are_drawn_and_told_in_words(
    open_page: Callable[..., Page], bench: Bench
) -> None:
    page = open_page("/")

    expect(page.locator(".chart canvas")).to_have_count(4)
    expect(page.locator("[data-spoken]")).to_have_text("In the last hour: 0 delivered, 0 dead.")
    page.get_by_role("button", name="last day").click()
    expect(page.locator("[data-spoken]")).to_contain_text("In the last day")
    expect(page.get_by_role("button", name="last day")).to_have_attribute("aria-pressed", "true")


def test_scripts_in_messages_do_not_run(open_page: Callable[..., Page], bench: Bench) -> None:
    script = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    bench.route(event(script))
    batch = bench.take()
    bench.bury(batch, error=script, reason="rejected")

    for path in ("/letters", f"/letters/{batch.members[0].number}", "/"):
        page = open_page(path)
        expect(page.locator("main")).to_be_visible()
        assert "owned" not in page.title()
