"""What the page says of Mixpanel: refused tokens, cut values, ids that have too many events."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from mixrelay.shared.queue import Example, Noticed, Settlement, Shard
from tests.browser.scenes import an_hour, night
from tests.browser.test_looking import SCREENS, SERIOUS
from tests.support.bench import Bench, event
from tests.support.tokens import OURS, THEIRS, leave_unproven, prove, refuse

DAY = (datetime.now(UTC).date() - datetime.fromtimestamp(0, UTC).date()).days


def refused(bench: Bench) -> None:
    """A wrong region, a tenant's wrong token, and everything that Mixpanel does unasked."""
    cut = Example("Checked Out", "properties.Cart", "812 characters, 255 kept", "0-1")
    hidden = Example("$set", "$set.bucket", "a reserved name", "0-2")
    noticed = {"cut_text": Noticed(1_203, cut), "hidden_name": Noticed(2, hidden)}
    bench.route(event("a"))
    bench.queue.settle(
        bench.take(), Settlement(delivered="all", noticed=noticed, unconfirmed=3, sent=True)
    )
    refuse(bench.queue, OURS, likelier="region", elsewhere="eu")
    leave_unproven(bench.queue, THEIRS)
    bench.queue.hot.add(
        {
            Shard(DAY, "distinct_id", OURS.fingerprint, "", "checkout@shop.example.com"): 150_001,
            Shard(DAY, "group", OURS.fingerprint, "company", "Acme"): 990_000,
        }
    )


def test_a_refused_token_stands_in_the_banner_with_what_to_set(
    open_page: Callable[..., Page], bench: Bench
) -> None:
    refuse(bench.queue, OURS, likelier="region", elsewhere="eu")
    page = open_page("/")
    banner = page.locator("#live .banner.bad")
    expect(banner).to_contain_text("Degraded: 1 problem")
    expect(banner).to_contain_text("Mixpanel refuses token 3f2a…b7 in region us (401)")
    expect(banner).to_contain_text("Set MIXPANEL_REGION=eu and restart the workers.")

    prove(bench.queue, OURS)

    expect(page.get_by_text("No problem, 1 note")).to_be_visible()


@pytest.mark.parametrize(("scheme", "width"), SCREENS)
def test_it_all_fits_the_screen_and_can_be_read_by_everyone(
    open_page: Callable[..., Page],
    bench: Bench,
    scheme: str,
    width: int,
) -> None:
    refused(bench)
    an_hour(bench)
    night(bench)
    for name, path in {"refused": "/", "tokens": "/workers"}.items():
        page = open_page(path, dark=scheme == "dark", width=width)
        expect(page.locator("main")).to_contain_text("3f2a…b7")
        found = Axe().run(page).response["violations"]
        bad = [one["id"] for one in found if one["impact"] in SERIOUS]
        assert not bad, f"{name}: {bad}"
        wider = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wider <= 0, f"{name} is {wider} pixels wider than the screen"


def test_what_mixpanel_does_unasked_has_an_example(
    open_page: Callable[..., Page], bench: Bench
) -> None:
    refused(bench)
    page = open_page("/")
    notices = page.locator("div[aria-labelledby='notices-heading']")
    expect(notices).to_contain_text("1,203")
    expect(notices).to_contain_text("Checked Out, properties.Cart, 812 characters, 255 kept")
    hot = page.locator("div[aria-labelledby='hot-heading']")
    expect(hot.get_by_role("row").nth(1)).to_contain_text("Acme")
    expect(hot.get_by_role("row").nth(1)).to_contain_text("99%")
