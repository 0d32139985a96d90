"""A real Chromium in shops whose middleware knows the request, alone and with Mixpanel's library.

The library comes from the npm registry (Apache-2.0), and is not kept here.
"""

import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import flask
import pytest
import requests
from playwright.sync_api import Browser, BrowserContext

from mixrelay.producer import Tracker, current_request
from mixrelay.producer.integrations.flask import Mixrelay
from mixrelay.sandbox import Options, Sandbox
from mixrelay.shared.queue import Queue
from tests.support.processes import finished
from tests.support.shops import ROUTES, SHOPS, serving_wsgi
from tests.support.streets import ACCOUNT, ANN, BOB, BOTS, CHROME, TOKEN, Street, streets, whose
from tests.support.works import Works

LIBRARY = "mixpanel-browser@2.83.0"
ADDRESS = "81.2.69.142"


@pytest.fixture
def opened(
    redis_url: str, queue: Queue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Street]]:
    monkeypatch.setenv("MIXRELAY_REDIS_URL", redis_url)
    monkeypatch.setenv("MIXRELAY_SPOOL_DIR", str(tmp_path / "spool"))
    with streets(redis_url, queue, tmp_path) as opens:
        yield opens


@pytest.fixture
def visitors(browser: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """Browsers of their own, behind a proxy that is trusted."""
    contexts: list[BrowserContext] = []

    def visiting(url: str, agent: str = CHROME) -> BrowserContext:
        headers = {"X-Forwarded-For": ADDRESS}
        context = browser.new_context(base_url=url, user_agent=agent, extra_http_headers=headers)
        context.set_default_timeout(30_000)
        contexts.append(context)
        return context

    yield visiting
    for context in contexts:
        context.close()


@pytest.mark.parametrize("framework", SHOPS)
def test_chromium_visits_signs_up_pays_and_leaves(
    framework: str,
    opened: Callable[..., Street],
    visitors: Callable[..., BrowserContext],
) -> None:
    street = opened(framework, "simplified", page_views=True, first_touch=True)
    for agent in BOTS:
        visitors(street.url, agent).new_page().goto("/prices")
    page = visitors(street.url).new_page()

    def post(path: str) -> None:
        status = page.evaluate("async path => (await fetch(path, {method: 'POST'})).status", path)
        assert status == 200

    page.goto("/prices?utm_source=news&token=secret")
    post(f"/signup/{ANN}")
    page.goto("/invoice/7")
    post("/pay")
    post("/signout")
    page.goto("/prices")
    post(f"/signup/{BOB}")
    # A part of a page that a script fetches is no page.
    page.evaluate("async () => (await fetch('/prices')).status")
    street.desk.close()
    box = street.drain(events=11)
    assert whose(box) == {
        (ANN, "device"): [
            *("Viewed Prices", "Page View", "Signed Up", "Viewed Invoice", "Page View"),
            *("Invoice Paid", "Signed Out"),
        ],
        (BOB, "device"): ["Viewed Prices", "Page View", "Signed Up", "Viewed Prices"],
    }
    properties = [one["properties"] for one in box.events]
    assert {(one["$browser"], one["ip"]) for one in properties} == {("Chrome", ADDRESS)}
    views = [one["properties"] for one in box.events if one["event"] == "Page View"]
    assert [one["route"] for one in views] == ["/prices", ROUTES[framework], "/prices"]
    assert views[0]["$current_url"].endswith("/prices?utm_source=news")
    posted = [one["properties"] for one in box.events if one["event"] == "Signed Up"]
    assert posted[0]["$referrer"].endswith("/prices?utm_source=news"), "cut as well"
    assert box.profiles[ANN]["initial_utm_source"] == "news"


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The text of Mixpanel's browser library."""
    folder = tmp_path_factory.mktemp("npm")
    if not shutil.which("npm"):
        pytest.skip("no npm, which brings Mixpanel's browser library")
    command = ["npm", "pack", "--silent", LIBRARY]
    try:
        finished(command, cwd=folder, check=True, capture_output=True, timeout=100)
    except subprocess.SubprocessError as error:
        pytest.skip(f"the npm registry gave no {LIBRARY}: {error}")
    (packed,) = folder.glob("*.tgz")
    with tarfile.open(packed) as archive:
        member = archive.extractfile("package/dist/mixpanel.umd.js")
        assert member is not None
        return member.read().decode()


PAGE = """<!doctype html><title>Shop</title>
<script src="/library.js"></script>
<script>
mixpanel.init("{token}", {{
  api_host: location.origin + "/mixpanel",
  batch_requests: false,
  loaded: library => {{
    if (!library.get_property("$user_id"))
      library.register({{$device_id: "{device}", distinct_id: "$device:{device}"}});
  }},
}});
mixpanel.track("Opened", {{}}, () => document.title = "Tracked");
</script>"""


@contextmanager
def shop(library: str, box: Sandbox, tracker: Tracker[Any]) -> Iterator[str]:
    """A site of the library and of the middleware; the library's requests go through it."""
    app = flask.Flask("shop")
    app.config |= {
        "MIXRELAY_CONTEXT": {"user": lambda request: request.cookie("user")},
        "MIXRELAY_TRUSTED_PROXIES": ["127.0.0.1"],
    }
    Mixrelay(app, tracker=tracker)

    @app.get("/library.js")
    def script() -> flask.Response:
        return flask.Response(library, mimetype="text/javascript")

    @app.route("/mixpanel/<path:path>", methods=["GET", "POST"])
    def passed_on(path: str) -> flask.Response:
        answer = requests.request(
            flask.request.method,
            f"{box.url}/{path}",
            params=flask.request.args,
            data=flask.request.get_data(),
            headers={"Content-Type": flask.request.headers.get("Content-Type", "")},
            timeout=30,
        )
        return flask.Response(answer.content, answer.status_code)

    @app.get("/prices")
    def prices() -> str:
        tracker.track(event="Viewed Prices")
        return PAGE.format(token=TOKEN, device=current_request().device_id())

    @app.post("/signup")
    def signup() -> flask.Response:
        current_request().set_user(ANN)
        tracker.track(event="Signed Up")
        answer = flask.Response("{}")
        answer.set_cookie("user", ANN)
        return answer

    with serving_wsgi(app) as url:
        yield url


def test_mixpanels_browser_library_and_the_middleware_see_one_person(
    library: str,
    visitors: Callable[..., BrowserContext],
    redis_url: str,
    queue: Queue,
    tmp_path: Path,
) -> None:
    with Sandbox(Options(tokens=[TOKEN], **ACCOUNT)) as box:
        tracker = Tracker(TOKEN, redis_url=redis_url, spool_dir=str(tmp_path / "spool"))
        with shop(library, box, tracker) as url:
            context = visitors(url)
            page = context.new_page()
            page.goto("/prices")
            page.wait_for_function("document.title === 'Tracked'")
            context.clear_cookies(name="mixrelay_device")  # the library's is enough from here on
            page.goto("/prices")
            page.wait_for_function("document.title === 'Tracked'")
            page.evaluate("async () => (await fetch('/signup', {method: 'POST'})).text()")
            page.evaluate(f"mixpanel.identify('{ANN}')")
            page.goto("/prices")
            page.wait_for_function("document.title === 'Tracked'")
            names = {one["name"] for one in context.cookies()}
            works = Works(redis_url, queue, box, tmp_path)
            works.drain(to=works.settings(token=TOKEN, **ACCOUNT))
        events = [one for one in box.events if not one["event"].startswith("$")]
    assert f"mp_{TOKEN}_mixpanel" in names
    assert "mixrelay_device" not in names, "the library's device is the server's too"
    (person,) = box.users.values()
    assert set(person.ids) - {ANN} == {f"$device:{events[0]['properties']['$device_id']}"}
    assert sorted(one["event"] for one in events) == [
        *(["Opened"] * 3),
        "Signed Up",
        *(["Viewed Prices"] * 3),
    ]
    by_server = [one["properties"] for one in events if one["event"] == "Viewed Prices"]
    by_browser = [one["properties"] for one in events if one["event"] == "Opened"]
    for name in ("$browser", "$browser_version", "$os", "$device_id"):
        assert {one[name] for one in by_server} == {one[name] for one in by_browser}, name
