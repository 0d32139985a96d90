"""What a browser may keep, what a failure looks like, and the page behind a proxy."""

import logging
import re

import pytest

from mixrelay.console.dashboard import serving
from mixrelay.console.dashboard.app import create_app
from mixrelay.console.dashboard.options import DashboardSettings
from mixrelay.console.dashboard.pages import overview
from mixrelay.shared.queue import LetterFilter
from mixrelay.shared.settings import Settings
from tests.support.bench import event
from tests.support.pages import browsing, form_token

ASSET = re.compile(r'(?:href|src)="([^"]*/static/[^"]*)"')
POLICY = "Content-Security-Policy"


@pytest.fixture
def letter(bench):
    """A dead letter: only a page with something to act on has forms."""
    bench.route(event("one"))
    bench.bury(bench.take())
    [letter] = bench.queue.letters.find(LetterFilter())
    return letter


def test_a_browser_keeps_our_files_until_they_change(page):
    addresses = ASSET.findall(page.get("/").text)

    assert len(addresses) == 6
    for address in addresses:
        answer = page.get(address)
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "private, max-age=31536000, immutable"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("version", ["", "?v=", "?v=of-another-version"])
def test_a_file_of_another_version_is_not_kept_under_its_address(page, version):
    answer = page.get(f"/static/page.css{version}")
    again = page.get("/static/page.css", headers={"If-None-Match": answer.headers["ETag"]})

    assert answer.headers["Cache-Control"] == "no-cache"
    assert again.status_code == 304


@pytest.mark.parametrize(
    "path", ["/", "/letters", "/metrics", "/series.json", "/healthz", "/static/none", "/nothing"]
)
def test_nothing_else_is_kept(page, path):
    assert page.get(path).headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "path", ["/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static//etc"]
)
def test_only_our_files_are_served(page, path):
    assert page.get(path).status_code == 404


def test_a_failure_is_told_in_our_words_and_logged_in_full(dashboard_of, monkeypatch, caplog):
    def fails(*_):
        raise RuntimeError("with s3cret details")

    monkeypatch.setattr(overview, "look", fails)
    page = dashboard_of()
    with caplog.at_level(logging.ERROR, "mixrelay.console.dashboard"):
        answer = page.get("/")

    assert answer.status_code == 500
    assert "The log of this server" in answer.text
    assert "s3cret" not in answer.text
    assert "Traceback" not in answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    assert "frame-ancestors 'none'" in answer.headers[POLICY]
    assert "with s3cret details" in caplog.text
    assert page.get("/letters").status_code == 200, "the other pages go on"


@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 405])
def test_every_refusal_has_the_same_headers(dashboard_of, letter, status):
    page = dashboard_of(token="s3cret")
    ask = {
        302: lambda: page.post("/letters/selected", data=form(page), auth=("ann", "s3cret")),
        400: lambda: page.get("/", headers={"Host": "evil.example"}),
        401: lambda: page.get("/"),
        403: lambda: page.post("/letters/selected", auth=("ann", "s3cret")),
        404: lambda: page.get("/nothing", auth=("ann", "s3cret")),
        405: lambda: page.put("/letters", data=form(page), auth=("ann", "s3cret")),
    }
    answer = ask[status]()

    assert answer.status_code == (303 if status == 302 else status)
    assert "frame-ancestors 'none'" in answer.headers[POLICY]
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Cache-Control"] == "no-store"


def form(page):
    return {"form_token": form_token(page, auth=("ann", "s3cret"))}


def test_two_processes_know_each_others_forms(dashboard_of, letter):
    shows, takes = (dashboard_of(token="s3cret") for _ in range(2))

    moved = takes.post(f"/letters/{letter.id}/replay", data=form(shows), auth=("ann", "s3cret"))

    assert "moved=1" in moved.headers["Location"]


@pytest.mark.parametrize("path", ["/mixrelay", "mixrelay/"])
def test_a_proxy_may_serve_the_page_under_a_path(redis_url, path):
    """It takes the path off, and the page's own addresses have it."""
    settings = DashboardSettings(path=path)
    app = create_app(Settings(redis_url=redis_url), settings, mounted=False)
    with browsing(app, root_path=settings.root_path) as page:
        shown = page.get("/letters")
        address = ASSET.findall(shown.text)[0]
        asset = page.get(address.removeprefix("/mixrelay"))

    addresses = re.findall(r'(?:href|src|action)="(/[^"]*)"', shown.text)
    assert shown.status_code == asset.status_code == 200
    assert all(address.startswith("/mixrelay/") for address in addresses)


def test_a_redirect_names_neither_scheme_nor_host(page):
    """Behind a proxy that does TLS, this process would send a browser to plain http."""
    moved = page.get("/letters/", headers={"X-Forwarded-Proto": "https"})

    assert moved.status_code == 307
    assert moved.headers["Location"] == "/letters"


def test_a_connection_is_kept_for_longer_than_proxies_keep_theirs(monkeypatch, redis_url):
    made = []

    class Server:
        def __init__(self, config):
            made.append(config)

        def run(self):
            pass

    monkeypatch.setattr(serving, "_Server", Server)
    serving.serve(Settings(redis_url=redis_url), DashboardSettings())

    [config] = made
    assert config.timeout_keep_alive > 60
