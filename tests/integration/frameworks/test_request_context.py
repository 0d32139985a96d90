"""A shop in six frameworks, over HTTP to the sandbox: whose events are whose, and from where."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from mixrelay.producer import Tracker
from mixrelay.sandbox import Options, Sandbox
from mixrelay.shared.queue import Queue
from tests.support.patience import Deadline
from tests.support.shops import ROUTES, SHOPS, Desk
from tests.support.works import Works, dropped

TOKEN = "shop-token"
ACCOUNT = {
    "service_account_username": "relay",
    "service_account_secret": "a-very-secret-secret",
    "project_id": "42",
}
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/131.0.0.0 Safari/537.36"
)
BOTS = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2)",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
)
ANN, BOB = "17", "18"
ADDRESS = "81.2.69.142"
FROM_NEWS = "?utm_source=news&utm_campaign=may&token=secret"


class Street:
    """A shop, those who visit it, and what Mixpanel got."""

    def __init__(self, url: str, works: Works, desk: Desk) -> None:
        self._url, self._works, self.desk = url, works, desk
        self._visitors: list[httpx.Client] = []

    def visitor(self, agent: str = CHROME) -> httpx.Client:
        headers = {"User-Agent": agent, "X-Forwarded-For": ADDRESS}
        self._visitors.append(
            httpx.Client(base_url=self._url, headers=headers, timeout=30, verify=False)
        )
        return self._visitors[-1]

    def close(self) -> None:
        for visitor in self._visitors:
            visitor.close()

    def drain(self, events: int) -> Sandbox:
        """Drain until so many events arrived: a request's are pushed after its response."""
        account = self._works.settings(token=TOKEN, **ACCOUNT)
        box, deadline = self._works.box, Deadline(30)
        self._works.drain(to=account)
        while len(box.events) < events and not deadline.is_over():
            self._works.drain(to=account)
        assert self._works.letters() == []
        assert dropped(self._works.box) == []
        return self._works.box


Opens = Callable[..., Street]


@pytest.fixture
def opened(
    redis_url: str, queue: Queue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Opens]:
    monkeypatch.setenv("MIXRELAY_REDIS_URL", redis_url)
    monkeypatch.setenv("MIXRELAY_SPOOL_DIR", str(tmp_path / "spool"))
    closing: list[Callable[[], Any]] = []

    def open_one(framework: str, id_merge: str, **options: Any) -> Street:
        box = Sandbox(Options(tokens=[TOKEN], id_merge=id_merge, **ACCOUNT))
        box.start()
        desk = Desk(Tracker(TOKEN), original=id_merge == "original")
        shop = SHOPS[framework](desk, options, ["127.0.0.1"])
        url = shop.__enter__()
        street = Street(url, Works(redis_url, queue, box, tmp_path), desk)
        closing.extend([box.stop, lambda: shop.__exit__(None, None, None), desk.close])
        closing.append(street.close)
        return street

    yield open_one
    for close in reversed(closing):
        close()


def whose(box: Sandbox) -> dict[tuple[str, ...], list[str]]:
    """The names of each person's events in order; a device counts as ``device``."""
    found = {}
    for person in box.users.values():
        events = [one for one in person.events if not one["event"].startswith("$")]
        events.sort(key=lambda one: one["properties"]["time"])
        ids = [one if one in {ANN, BOB} else "device" for one in person.ids]
        found[tuple(sorted(set(ids)))] = [one["event"] for one in events]
    return found


@pytest.mark.parametrize("id_merge", ["simplified", "original"])
@pytest.mark.parametrize("framework", SHOPS)
def test_a_visitor_signs_up_pays_and_leaves_and_another_one_comes(
    framework: str, id_merge: str, opened: Opens
) -> None:
    street = opened(framework, id_merge, page_views=True, first_touch=True)
    browser = street.visitor()
    browser.get(f"/prices{FROM_NEWS}", headers={"Referer": "https://news.example/a?q=1"})
    for agent in BOTS:
        bot = street.visitor(agent)
        assert bot.get("/prices").status_code == 200
        assert not bot.cookies
    for method, path in [
        ("POST", f"/signup/{ANN}"),
        ("GET", "/invoice/7"),
        ("POST", "/pay"),
        ("POST", "/signout"),
        # Somebody else, at the same browser.
        ("GET", "/prices"),
        ("POST", f"/signup/{BOB}"),
    ]:
        assert browser.request(method, path).status_code == 200
    street.desk.close()
    box = street.drain(events=10 + 2 * (id_merge == "original"))
    names = [
        *("Viewed Prices", "Page View", "Signed Up", "Viewed Invoice", "Page View"),
        *("Invoice Paid", "Signed Out"),
    ]
    assert whose(box) == {
        (ANN, "device"): names,
        (BOB, "device"): ["Viewed Prices", "Page View", "Signed Up"],
    }
    events = [one["properties"] for one in box.events if not one["event"].startswith("$")]
    first = events[0]
    assert first["$current_url"].endswith("/prices?utm_source=news&utm_campaign=may")
    assert (first["utm_source"], first["$referring_domain"]) == ("news", "news.example")
    assert {(one["$browser"], one["$os"], one["ip"]) for one in events} == {
        ("Chrome", "Windows", ADDRESS)
    }
    routes = [one["properties"]["route"] for one in box.events if one["event"] == "Page View"]
    assert sorted(routes) == [ROUTES[framework], "/prices", "/prices"]
    ann = box.profiles[ANN]
    assert (ann["initial_utm_source"], ann["$initial_referring_domain"]) == (
        *("news", "news.example"),
    )
    assert "initial_utm_source" not in box.profiles[BOB]


@pytest.mark.parametrize("framework", ["wsgi", "django", "fastapi"])  # each sets cookies its way
def test_consent_refused_leaves_no_cookie_no_event_and_no_trace(
    framework: str, opened: Opens
) -> None:
    def consent(request: Any) -> bool:
        return request.cookie("consent") == "yes"

    street = opened(framework, "simplified", page_views=True, first_touch=True, consent=consent)
    browser = street.visitor()
    for path in ("/invoice/7", "/invoice/8"):
        browser.cookies.set("session_of", ANN)
        assert browser.get(path).status_code == 200
    assert set(browser.cookies) == {"session_of"}
    browser.cookies.set("consent", "yes")
    browser.get("/prices")
    box = street.drain(events=2)
    assert [one["event"] for one in box.events] == ["Viewed Prices", "Page View"]
    assert {one["properties"]["$current_url"][-7:] for one in box.events} == {"/prices"}
