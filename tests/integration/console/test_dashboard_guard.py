"""Who is let in, and what another page may not do with an operator's browser."""

import json
import re
from base64 import b64encode

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from mixrelay.console.dashboard.app import create_app
from mixrelay.console.dashboard.options import DashboardSettings
from mixrelay.shared.errors import ConfigurationError
from mixrelay.shared.queue import LetterFilter
from mixrelay.shared.settings import Settings
from tests.support.bench import event
from tests.support.pages import browsing, form_token


@pytest.fixture
def letter(bench):
    """A dead letter, which nobody must be able to move unasked."""
    bench.route(event("one"))
    bench.bury(bench.take())
    return bench.queue.letters.page(LetterFilter())


def test_on_loopback_nobody_is_asked(page):
    assert page.get("/").status_code == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.1", "::", "example.com"])
def test_an_open_page_is_refused_elsewhere(host):
    with pytest.raises(ConfigurationError, match="MIXRELAY_DASHBOARD_TOKEN"):
        DashboardSettings(host=host).check_open()


@pytest.mark.parametrize("behind", [{"hosts": "ops.example.com"}, {"path": "/mixrelay"}])
def test_an_open_page_is_refused_behind_a_proxy(behind):
    with pytest.raises(ConfigurationError, match="MIXRELAY_DASHBOARD_TOKEN"):
        DashboardSettings(**behind).check_open()


def test_a_mounted_page_must_know_its_users(redis_url):
    with pytest.raises(ConfigurationError, match="identify"):
        create_app(Settings(redis_url=redis_url), DashboardSettings())


def test_a_mounted_pages_forms_need_a_key_that_all_processes_share(redis_url):
    with pytest.raises(ConfigurationError, match="secret="):
        create_app(Settings(redis_url=redis_url), DashboardSettings(), identify=lambda _: "ann")


@pytest.mark.parametrize(
    ("auth", "status"),
    [
        (None, 401),
        (("me", "wrong"), 401),
        (("me", ""), 401),
        (("me", "s3cret"), 200),
        (("ann", "hers"), 200),
        (("ann", "s3cret"), 401),
        (("bob", "hers"), 401),
    ],
)
def test_a_password_is_asked_for(dashboard_of, auth, status):
    page = dashboard_of(token="s3cret", users="ann:hers, bob:his")

    answer = page.get("/", auth=auth)

    assert answer.status_code == status
    assert ("WWW-Authenticate" in answer.headers) == (status == 401)


PASSWORDS = (
    "a,b",
    "a,b:c",
    "co:lon",
    "100%",
    "%2C",
    " spaces ",
    'quo"te\\',
    "ключ-пароль",
    "{}",
    "ann",
)


@pytest.mark.parametrize("password", PASSWORDS)
def test_a_password_may_be_anything(dashboard_of, password):
    page = dashboard_of(users=json.dumps({"ann": password, "bob": "his"}))

    def status(name, given):
        header = b64encode(f"{name}:{given}".encode()).decode()
        return page.get("/healthz2", headers={"Authorization": f"Basic {header}"}).status_code

    assert status("ann", password) == 404, "let in"
    assert status("ann", password + "x") == status("bob", password) == 401
    # What a list of name:password pairs would have made of it.
    assert status("ann", "a") == status("b", "c") == 401


@pytest.mark.parametrize(
    "users",
    [
        "ann:a,b",
        "ann:",
        ":s3cret",
        "ann:s3cret,ann:other",
        "s3cret",
        '{"ann": "s3cret"',
        '{"ann": 5}',
        '{"ann": ["s3cret"]}',
        '{"ann": {"s3cret": "x"}}',
        '{"ann": "s3cret", "ann": "other"}',
        '{"a:b": "s3cret"}',
        '{"": "s3cret"}',
        '{"ann": ""}',
    ],
)
def test_users_that_cannot_be_meant_are_refused_without_their_passwords(users):
    with pytest.raises(
        ConfigurationError, match="MIXRELAY_DASHBOARD_USERS is not usable"
    ) as raised:
        DashboardSettings(users=users).check()
    assert "s3cret" not in str(raised.value)
    assert '{"name": "password"}' in str(raised.value)


def test_a_password_that_is_no_utf_8_is_asked_for_too(dashboard_of):
    """As of a variable in another encoding: nobody can send it, and nothing fails."""
    page = dashboard_of(token="s3cret\udcff", users="ann:\udcfe")
    for auth in (("ann", "x"), ("me", "s3cret")):
        assert page.get("/", auth=auth).status_code == 401


@pytest.mark.parametrize("name", ["a\nb", "x" * 5_000, "\u202e", ""])
def test_a_name_that_nobody_has_is_no_name_in_the_audit(dashboard_of, queue, name):
    page = dashboard_of(token="s3cret")
    form = {"form_token": form_token(page, "/lanes/event", auth=(name, "s3cret")), "why": "x"}
    assert page.post("/lanes/event/pause", data=form, auth=(name, "s3cret")).status_code == 303
    assert queue.audit.newest(1)[0].who == "anyone"


@pytest.mark.parametrize("users", ["ann:co:lon,bob:100%", " ann:co:lon , bob:100% ,"])
def test_a_list_of_users_is_read_as_ever(users):
    assert DashboardSettings(users=users).passwords == {"ann": "co:lon", "bob": "100%"}


@pytest.mark.parametrize(
    "header",
    ["Bearer wrong", "Bearer", "Basic !!!", "Basic /w==", "Digest x", "Bearer ün".encode()],
)
def test_nonsense_is_no_password(dashboard_of, header):
    page = dashboard_of(token="s3cret")

    assert page.get("/", headers={"Authorization": header}).status_code == 401


def test_a_bearer_token_opens_the_metrics(dashboard_of):
    page = dashboard_of(token="s3cret")

    answer = page.get("/metrics", headers={"Authorization": "Bearer s3cret"})

    assert answer.status_code == 200
    assert "mixrelay_queue_messages 0.0" in answer.text


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_needs_no_password(dashboard_of, path):
    answer = dashboard_of(token="s3cret").get(path)

    assert answer.status_code in {200, 503}
    assert "password" not in answer.text


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "", "[::", "localhost@evil"]
)
def test_a_name_that_is_not_ours_is_refused(page, host):
    answer = page.get("/", headers={"Host": host})

    assert answer.status_code == 400
    assert "MIXRELAY_DASHBOARD_HOSTS" in answer.text


@pytest.mark.parametrize("host", ["localhost:8321", "127.0.0.1", "[::1]:8321", "OPS.example.com"])
def test_our_names_are_taken(dashboard_of, host):
    page = dashboard_of(hosts="ops.example.com")

    assert page.get("/", headers={"Host": host}).status_code == 200


def test_a_proxy_may_leave_the_port_out_of_the_host(dashboard_of, letter, queue):
    """As nginx does with $host; browsers send no Sec-Fetch-Site over plain HTTP."""
    page = dashboard_of(hosts="ops.example", token="s3cret")
    number, auth = letter.letters[0].id, ("ann", "s3cret")
    form = {"form_token": form_token(page, auth=auth), "why": "a test"}
    asked = {"Host": "ops.example", "Origin": "http://ops.example:8080"}
    other = asked | {"Origin": "http://evil.example:8080"}

    refused = page.post(f"/letters/{number}/discard", data=form, headers=other, auth=auth)
    taken = page.post(f"/letters/{number}/discard", data=form, headers=asked, auth=auth)

    assert (refused.status_code, taken.status_code) == (403, 303)
    assert queue.books().dead == 0


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
    ],
)
def test_another_pages_post_changes_nothing(page, letter, queue, headers):
    number = letter.letters[0].id
    form = {"form_token": form_token(page), "why": "evil"}

    answer = page.post(f"/letters/{number}/discard", data=form, headers=headers)

    assert answer.status_code == 403
    assert queue.books().dead == 1


@pytest.mark.parametrize("token", ["", "0" * 64, "ü"])
def test_a_post_without_our_forms_token_changes_nothing(page, letter, queue, token):
    number = letter.letters[0].id

    answer = page.post(f"/letters/{number}/discard", data={"form_token": token, "why": "x"})

    assert answer.status_code == 403
    assert queue.books().dead == 1


def test_one_users_form_is_not_anothers(dashboard_of, letter, queue):
    page = dashboard_of(users="ann:hers,bob:his")
    token = form_token(page, auth=("ann", "hers"))

    answer = page.post(
        f"/letters/{letter.letters[0].id}/discard",
        data={"form_token": token, "why": "x"},
        auth=("bob", "his"),
    )

    assert answer.status_code == 403
    assert queue.books().dead == 1


def test_looking_changes_nothing(page, letter, bench):
    number = letter.letters[0].id
    page.get("/")  # makes the key that signs forms
    before = bench.dump()

    for path in ("/", "/letters", f"/letters/{number}", "/jobs", "/audit", "/workers", "/metrics"):
        assert page.get(path).status_code == 200
    for path in (f"/letters/{number}/discard", f"/letters/{number}/replay", "/letters/selected"):
        assert page.get(path).status_code in {404, 405}

    assert bench.dump() == before


def test_read_only_shows_all_and_changes_nothing(dashboard_of, letter, queue):
    page = dashboard_of(read_only=True)
    number = letter.letters[0].id

    shown = page.get(f"/letters/{number}").text
    answer = page.post(f"/letters/{number}/replay", data={})

    assert "form_token" not in shown
    assert "read-only" in shown
    assert answer.status_code == 403
    assert queue.books().dead == 1


def test_every_page_forbids_foreign_scripts_and_frames(page):
    first, second = (page.get("/") for _ in range(2))

    policy = first.headers["Content-Security-Policy"]
    nonce = re.search(r"script-src 'nonce-([^']+)'", policy)
    assert nonce
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert first.headers["X-Content-Type-Options"] == "nosniff"
    assert all(f'nonce="{nonce[1]}"' in tag for tag in re.findall(r"<script[^>]*>", first.text))
    assert second.headers["Content-Security-Policy"] != policy
    assert "style=" not in first.text


def page_of_the_host(request):
    return PlainTextResponse("the host's")


def test_the_page_works_where_it_is_mounted(redis_url, letter):
    """Under a path, in an application that names the user itself."""
    inner = create_app(
        Settings(redis_url=redis_url),
        DashboardSettings(),
        identify=lambda request: "ann",
        secret="a key of the host's",
    )
    # The host has pages of the same names, which ours must not lead to.
    theirs = [Route(f"/{name}", page_of_the_host, name=name) for name in ("letters", "static")]
    outer = Starlette(routes=[*theirs, Mount("/ops/mixrelay", inner, name="letter")])
    with browsing(outer) as client:
        shown = client.get("/ops/mixrelay/letters")
        number = letter.letters[0].id
        form = {"form_token": form_token(client, "/ops/mixrelay/letters")}
        moved = client.post(f"/ops/mixrelay/letters/{number}/replay", data=form)
        static = client.get("/ops/mixrelay/static/page.css")

    assert "/ops/mixrelay/static/page.css" in shown.text
    assert moved.headers["Location"].startswith("/ops/mixrelay/letters?said=replay&moved=1")
    assert static.status_code == 200
    inner.state.place.close()


def test_a_stranger_of_the_host_application_is_refused(dashboard_of):
    page = dashboard_of(identify=lambda request: None, mounted=True)

    answer = page.get("/")

    assert answer.status_code == 403
    assert "WWW-Authenticate" not in answer.headers, "no browser asks for a password"
    assert "Sign in" in answer.text


def test_a_pod_is_probed_and_scraped_by_its_address(dashboard_of):
    page = dashboard_of(token="s3cret")
    pod = {"Host": "10.1.2.3:8321"}
    for path in ("/healthz", "/readyz"):
        assert page.get(path, headers=pod).status_code != 400
    scrape = {"Authorization": "Bearer s3cret"}
    assert page.get("/metrics", headers=pod | scrape).status_code == 200
    for stranger in ({}, {"Authorization": "Bearer wrong"}):
        assert page.get("/metrics", headers=pod | stranger).status_code == 400


def test_where_nobody_is_asked_a_token_opens_no_other_name(page):
    stranger = {"Host": "evil.example.com", "Authorization": "Bearer any"}
    assert page.get("/metrics", headers=stranger).status_code == 400
