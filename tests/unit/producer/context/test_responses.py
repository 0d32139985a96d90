"""What a response does by itself: page views, the first touch, cookies; and code without one."""

import asyncio
import gc
import re
import threading
from urllib.parse import urlencode

import pytest

from mixrelay.producer import (
    ConfigurationError,
    RequestContext,
    current_request,
    request_context,
)
from mixrelay.producer.integrations.asgi import MixrelayMiddleware
from mixrelay.producer.testing import capture
from tests.support.patience import joined
from tests.unit.producer.context.conftest import CHROME, DEVICE, GOOGLEBOT

OWN = f"mixrelay_device={DEVICE}"
PAGES = RequestContext(page_views=True)


def nothing():
    """A view that tracks nothing itself."""


def test_a_page_view_is_tracked_with_its_route_and_sets_the_device(site):
    (event,) = site.ask(
        nothing,
        PAGES,
        kind="text/html; charset=utf-8",
        PATH_INFO="/shop/7",
        **{"mixrelay.route": "/shop/<id>"},
    )
    assert site.records[0]["event"] == "Page View"
    assert event["route"] == "/shop/<id>"
    assert event["$current_url"].endswith("/shop/7")
    assert site.cookies[0].startswith(f"mixrelay_device={event['$device_id']};")


@pytest.mark.parametrize(
    ("kind", "environ"),
    [
        ("application/json", {}),
        ("text/html", {"REQUEST_METHOD": "POST"}),
        ("text/html", {"REQUEST_METHOD": "HEAD"}),
        ("text/html", {"HTTP_SEC_FETCH_DEST": "empty"}),
        ("text/html", {"HTTP_SEC_FETCH_DEST": "iframe"}),
        ("text/html", {"HTTP_SEC_PURPOSE": "prefetch;prerender"}),
        ("text/html", {"HTTP_USER_AGENT": GOOGLEBOT}),
    ],
)
def test_what_nobody_sees_as_a_page_is_no_page_view(site, kind, environ):
    assert site.ask(nothing, PAGES, kind=kind, **environ) == []
    assert site.cookies == []


def test_a_page_view_has_the_name_that_is_given(site):
    context = RequestContext(page_views="Seen")
    assert len(site.ask(nothing, context, kind="text/html", HTTP_SEC_FETCH_DEST="document")) == 1
    assert site.records[0]["event"] == "Seen"


FIRST = RequestContext(first_touch=True, user=lambda request: request.header("x-user"))


def test_the_first_touch_waits_in_a_cookie_and_is_set_on_the_profile_once(site, viewed):
    site.ask(
        viewed,
        FIRST,
        QUERY_STRING="utm_source=news&utm_campaign=may",
        HTTP_REFERER="https://news.example/a",
    )
    kept = next(cookie for cookie in site.cookies if cookie.startswith("mixrelay_device_first="))
    kept = kept.partition(";")[0]
    site.ask(viewed, FIRST, HTTP_COOKIE=f"{OWN}; {kept}", QUERY_STRING="utm_source=other")
    assert site.cookies == [], "the first one stays"
    site.ask(viewed, FIRST, HTTP_COOKIE=f"{OWN}; {kept}", HTTP_X_USER="17")
    (update,) = [one for one in site.records if "$set_once" in one]
    assert update["$distinct_id"] == "17"
    assert update["$set_once"] == {
        "initial_utm_source": "news",
        "initial_utm_campaign": "may",
        "$initial_referrer": "https://news.example/a",
        "$initial_referring_domain": "news.example",
    }
    (cookie,) = site.cookies
    assert cookie.startswith("mixrelay_device_first=sent;")
    site.ask(viewed, FIRST, HTTP_COOKIE=f"{OWN}; mixrelay_device_first=sent", HTTP_X_USER="17")
    assert len(site.records) == 1
    assert site.cookies == []


def test_a_forged_first_touch_sets_only_what_it_may(site, viewed):
    forged = urlencode({"$email": "x@example.com", "initial_utm_source": "news"})
    site.ask(viewed, FIRST, HTTP_COOKIE=f"mixrelay_device_first={forged}", HTTP_X_USER="17")
    (update,) = [one for one in site.records if "$set_once" in one]
    assert update["$set_once"] == {"initial_utm_source": "news"}


def test_a_visit_without_a_campaign_came_directly(site, viewed):
    site.ask(viewed, FIRST, HTTP_X_USER="17")
    (update,) = [one for one in site.records if "$set_once" in one]
    assert set(update["$set_once"].values()) == {"$direct"}


def test_consent_refused_leaves_no_trace(site, viewed):
    context = RequestContext(page_views=True, first_touch=True, consent=lambda _: False)
    assert site.ask(viewed, context, kind="text/html", REMOTE_USER="17") == []
    assert (site.records, site.cookies) == ([], [])
    assert site.tracker.counters.ignored == 2


def test_code_that_asks_for_the_device_gets_none_where_consent_is_refused(site):
    asked = []

    def view():
        request = current_request()
        asked.extend([request.device_id(), request.reset_device(), request.ip()])
        asked.extend([request.user_id(), {**request.properties()}, request.carry()])

    site.ask(view, RequestContext(first_touch=True, consent=lambda _: False), REMOTE_USER="17")
    assert asked == [None, None, None, None, {}, {"ignored": True}]
    assert site.cookies == []


def test_a_tracker_that_is_off_sets_no_cookie(site, viewed):
    site.tracker._outlet.is_off = True
    assert site.ask(viewed, PAGES, kind="text/html") == []
    assert site.cookies == []


def test_nothing_is_left_after_a_request(site, viewed):
    seen = []
    site.ask(lambda: seen.append(current_request().device_id()), HTTP_COOKIE=OWN)
    assert seen == [DEVICE]
    assert current_request() is None
    site.tracker.track("17", "Outside")
    assert "$browser" not in site.records[-1]["properties"]


def test_a_request_that_is_dropped_unended_is_not_taken_for_the_next(site):
    known = request_context({"REQUEST_METHOD": "GET"}, site.tracker)
    known.__enter__()
    assert current_request() is not None
    del known  # as where an application's ending came between
    gc.collect()
    assert current_request() is None


# --- code without middleware


def test_request_context_takes_what_a_request_carried(site):
    def view():
        current_request().set_user(17)
        carried.update(current_request().carry())

    carried = {}
    site.ask(view, HTTP_COOKIE=OWN, trusted_proxies=[], HTTP_X_REQUEST_ID="req-1")
    found = []

    def task():
        with request_context(carried):
            site.tracker.track(event="Mailed")
            site.tracker.people.set("17", {"a": 1})
            found.append(current_request().carry() == carried)

    thread = threading.Thread(target=task)
    thread.start()
    joined(thread)
    event, update = site.records[0]["properties"], site.records[1]
    assert (event["distinct_id"], event["$user_id"], event["$device_id"]) == ("17", "17", DEVICE)
    assert (event["request_id"], event["ip"], event["$browser"]) == (
        *("req-1", "203.0.113.77", "Chrome"),
    )
    assert update["$ip"] == "203.0.113.77"
    assert found == [True]


def test_what_an_ignored_request_carries_is_ignored_too(site):
    carried = {}
    site.ask(lambda: carried.update(current_request().carry()), HTTP_USER_AGENT=GOOGLEBOT)
    assert carried == {"ignored": True}
    with request_context(carried):
        site.tracker.track(event="Mailed")
    assert site.records == []


@pytest.mark.parametrize(
    "carried", [{}, {"user_id": [1], "properties": 7, "ip": 5}, {"device_id": "null"}]
)
def test_what_was_carried_wrongly_harms_nothing(site, carried):
    with request_context(carried):
        site.tracker.track(event="Mailed")
    assert site.records[0]["properties"]["distinct_id"] == ""


@pytest.mark.parametrize(
    "request_",
    [
        {"REQUEST_METHOD": "GET", "HTTP_USER_AGENT": CHROME, "HTTP_COOKIE": OWN},
        {
            "type": "http",
            "headers": [(b"user-agent", CHROME.encode()), (b"cookie", OWN.encode())],
        },
    ],
)
def test_request_context_takes_a_request(site, request_):
    with request_context(request_, site.tracker):
        site.tracker.track(event="Viewed")
    event = site.records[0]["properties"]
    assert (event["$browser"], event["$device_id"]) == ("Chrome", DEVICE)


def test_request_context_makes_no_device_that_no_cookie_could_keep(site):
    with request_context({"REQUEST_METHOD": "GET"}, site.tracker):
        site.tracker.track(event="Viewed")
        assert current_request().reset_device() is None
    assert site.records[0]["properties"]["distinct_id"] == ""


@pytest.mark.parametrize("given", [(7,), ({"a": 1}, "tracker"), (object(), "tracker")])
def test_what_is_no_request_is_an_error(site, given):
    request, *tracker = given
    with (
        pytest.raises(ConfigurationError, match=re.escape("request_context()")),
        request_context(request, *[site.tracker for _ in tracker]),
    ):
        pass


# --- an event loop's


def ask(app, **scope):
    """Answer one request of ASGI; return what was sent."""
    sent = []

    async def receive():
        return {"type": "http.request"}

    async def send(message):
        sent.append(message)

    headers = [(b"user-agent", CHROME.encode()), (b"host", b"shop.example")]
    given = {
        "type": "http",
        "method": "GET",
        "path": "/prices",
        "query_string": b"utm_source=news",
        "client": ("203.0.113.77", 1),
        "headers": headers,
        **scope,
    }
    asyncio.run(app(given, receive, send))
    return sent


@pytest.mark.parametrize("kind", [b"text/html", b"text/plain"])
def test_asgi_gives_the_same(site, kind):
    late = []

    async def app(scope, receive, send):
        site.tracker.track(event="Viewed")
        headers = [(b"content-type", kind)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b""})
        site.tracker.track(event="Afterwards")
        late.append(current_request().reset_device())

    sent = ask(MixrelayMiddleware(app, site.tracker, trusted_proxies=[], context=PAGES))
    names = [one["event"] for one in site.records]
    assert names == ["Viewed", *["Page View"] * (kind == b"text/html"), "Afterwards"]
    properties = [one["properties"] for one in site.records]
    (device,) = {one["$device_id"] for one in properties}
    cookies = [value for name, value in sent[0]["headers"] if name == b"set-cookie"]
    assert [cookie.decode().partition(";")[0] for cookie in cookies] == [
        f"mixrelay_device={device}"
    ]
    for one in properties:
        assert one["$current_url"] == "http://shop.example/prices?utm_source=news"
        assert one["ip"] == "203.0.113.77"
    assert late == [None]


def test_a_task_that_nobody_waits_for_knows_its_request(site):
    async def app(scope, receive, send):
        async def task():
            await began.wait()
            gc.collect()
            site.tracker.track(event="Afterwards")

        began = asyncio.Event()
        tasks.append((asyncio.create_task(task()), began))
        site.tracker.track(event="Viewed")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def served():
        async def nowhere(_):
            pass

        scope = {"type": "http", "headers": [(b"cookie", OWN.encode())]}
        await wrapped(scope, None, nowhere)
        (task, began), *_ = tasks
        began.set()
        await task

    tasks = []
    wrapped = MixrelayMiddleware(app, site.tracker, context=True)
    asyncio.run(served())
    assert [one["event"] for one in site.records] == ["Viewed", "Afterwards"]
    assert {one["properties"]["$device_id"] for one in site.records} == {DEVICE}


def test_a_websocket_knows_its_request_and_makes_no_device(site):
    async def app(scope, receive, send):
        site.tracker.track(event="Joined")

    wrapped = MixrelayMiddleware(app, site.tracker, context=True)
    ask(wrapped, type="websocket", scheme="wss")
    event = site.records[0]["properties"]
    assert event["distinct_id"] == ""
    assert event["$current_url"] == "https://shop.example/prices?utm_source=news"


def test_an_async_tracker_tracks_page_views_too():
    from mixrelay.producer import AsyncTracker  # noqa: PLC0415 - loads asyncio

    async def app(scope, receive, send):
        await tracker.track(event="Viewed")
        headers = [(b"content-type", b"text/html")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    with capture() as sink:
        tracker = AsyncTracker("token")
        context = RequestContext(page_views=True, first_touch=True, user=lambda _: "17")
        sent = ask(MixrelayMiddleware(app, tracker, context=context))
    assert [one.name for one in sink.events] == ["Viewed", "Page View"]
    assert [(one.target, one.operation) for one in sink.updates] == [("17", "$set_once")]
    assert len([1 for name, _ in sent[0]["headers"] if name == b"set-cookie"]) == 2
