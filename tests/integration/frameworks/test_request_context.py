"""A shop in six frameworks, over HTTP to the sandbox: whose events are whose, and from where."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from mixrelay.shared.queue import Queue
from tests.support.fleet import wait_until
from tests.support.shops import ROUTES, SHOPS
from tests.support.streets import ADDRESS, ANN, BOB, BOTS, Street, streets, whose

Opens = Callable[..., Street]
FROM_NEWS = "?utm_source=news&utm_campaign=may&token=secret"


@pytest.fixture
def opened(
    redis_url: str, queue: Queue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Opens]:
    monkeypatch.setenv("MIXRELAY_REDIS_URL", redis_url)
    monkeypatch.setenv("MIXRELAY_SPOOL_DIR", str(tmp_path / "spool"))
    with streets(redis_url, queue, tmp_path) as opens:
        yield opens


@pytest.mark.parametrize("id_merge", ["simplified", "original"])
@pytest.mark.parametrize("framework", SHOPS)
def test_a_visitor_signs_up_pays_and_leaves_and_another_one_comes(
    framework: str, id_merge: str, opened: Opens, queue: Queue
) -> None:
    street = opened(framework, id_merge, page_views=True, first_touch=True)
    browser = street.visitor()
    signed_up = 1 + (id_merge == "original")
    browser.get(f"/prices{FROM_NEWS}", headers={"Referer": "https://news.example/a?q=1"})
    for agent in BOTS:
        bot = street.visitor(agent)
        assert bot.get("/prices").status_code == 200
        assert not bot.cookies
    tracked = 2
    for method, path, events in [
        ("POST", f"/signup/{ANN}", signed_up),
        ("GET", "/invoice/7", 2),
        ("POST", "/pay", 1),
        ("POST", "/signout", 1),
        # Somebody else, at the same browser.
        ("GET", "/prices", 2),
        ("POST", f"/signup/{BOB}", signed_up),
    ]:
        assert browser.request(method, path).status_code == 200
        street.desk.close()
        # After the response: else she may sign out before her payment is tracked.
        tracked += events
        wait_until(lambda least=tracked: events_in(queue) >= least, 20, f"events of {path}")
    box = street.drain(events=tracked)
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


def events_in(queue: Queue) -> int:
    return sum(one.startswith(b'["event"') for one in queue.redis.lrange(queue.name, 0, -1))


@pytest.mark.parametrize("framework", SHOPS)
def test_consent_refused_leaves_no_cookie_no_event_and_no_trace(
    framework: str, opened: Opens, redis_url: str, tmp_path: Path
) -> None:
    def consent(request: Any) -> bool:
        return request.cookie("consent") == "yes"

    street = opened(framework, "simplified", page_views=True, first_touch=True, consent=consent)
    browser = street.visitor()
    with Redis.from_url(redis_url) as redis:
        before = set(redis.scan_iter())
    for path in ("/invoice/7", "/invoice/8"):
        browser.cookies.set("session_of", ANN)
        assert browser.get(path).status_code == 200
    assert set(browser.cookies) == {"session_of"}
    with Redis.from_url(redis_url) as redis:
        assert set(redis.scan_iter()) == before
    assert [one for one in (tmp_path / "spool").rglob("*") if one.is_file()] == []
    browser.cookies.set("consent", "yes")
    browser.get("/prices")
    box = street.drain(events=2)
    assert [one["event"] for one in box.events] == ["Viewed Prices", "Page View"]
    assert {one["properties"]["$current_url"][-7:] for one in box.events} == {"/prices"}
