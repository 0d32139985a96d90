"""Each part of a request's context: what it writes, and that it can be switched off alone."""

import re
from urllib.parse import quote

import pytest
from django.utils.functional import SimpleLazyObject

from mixrelay.producer import (
    ConfigurationError,
    RequestContext,
    RequestContextError,
    current_request,
)
from mixrelay.producer.context import browsers
from tests.unit.producer.context.conftest import CHROME, DEVICE, GOOGLEBOT

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
OWN = f"mixrelay_device={DEVICE}"


def test_a_first_visit_gets_a_device_and_what_the_headers_say(site, viewed):
    (event,) = site.ask(
        viewed,
        QUERY_STRING="utm_source=news&utm_campaign=may&gclid=abc&token=secret",
        HTTP_REFERER="https://user:pw@news.example/a?q=private#top",
        HTTP_HOST="shop.example",
        PATH_INFO="/prices",
        HTTP_X_REQUEST_ID="req-1",
        HTTP_X_MIXPANEL_REPLAY_ID="0193-replay",
    )
    device = event["$device_id"]
    assert UUID.fullmatch(device)
    assert event["distinct_id"] == f"$device:{device}"
    assert "$user_id" not in event
    assert "ip" not in event, "of a network that places nobody, and of no proxy that is named"
    assert {
        "$browser": "Chrome",
        "$browser_version": 131,
        "$os": "Windows",
        "utm_source": "news",
        "utm_campaign": "may",
        "gclid": "abc",
        "$referrer": "https://news.example/a",
        "$referring_domain": "news.example",
        "$current_url": "http://shop.example/prices?utm_source=news&utm_campaign=may&gclid=abc",
        "request_id": "req-1",
        "$mp_replay_id": "0193-replay",
    }.items() <= event.items()
    (cookie,) = site.cookies
    assert cookie == f"mixrelay_device={device}; Max-Age=63072000; Path=/; HttpOnly; SameSite=Lax"


def test_a_known_device_sets_no_cookie_and_a_forged_one_is_replaced(site, viewed):
    (event,) = site.ask(viewed, HTTP_COOKIE=f"a=1; {OWN}; b=2")
    assert event["$device_id"] == DEVICE
    assert site.cookies == []
    (event,) = site.ask(viewed, HTTP_COOKIE="mixrelay_device=anonymous")
    assert UUID.fullmatch(event["$device_id"])
    assert len(site.cookies) == 1


def test_https_makes_the_cookie_secure_and_so_does_a_trusted_proxy_that_says_it(site, viewed):
    site.ask(viewed, **{"wsgi.url_scheme": "https"})
    assert "; Secure;" in site.cookies[0]
    site.ask(viewed, HTTP_X_FORWARDED_PROTO="https")
    assert "Secure" not in site.cookies[0], "anybody may send that header"
    trusted = {"trusted_proxies": ["203.0.113.0/24"], "HTTP_X_FORWARDED_FOR": "198.51.100.9"}
    (event,) = site.ask(viewed, HTTP_X_FORWARDED_PROTO="https", **trusted)
    assert "; Secure;" in site.cookies[0]
    assert event["$current_url"].startswith("https://")
    assert event["ip"] == "198.51.100.9"


@pytest.mark.parametrize(
    "kept",
    [
        f'{{"distinct_id":"$device:{DEVICE}","$device_id":"{DEVICE}"}}',
        f'{{"distinct_id":"17","$user_id":"17","$device_id":"{DEVICE}"}}',
        f'{{"distinct_id":"$device:{DEVICE}"}}',
    ],
)
def test_the_device_of_mixpanels_browser_library_is_taken(site, viewed, kept):
    other = OWN.replace("0b", "1c")
    (event,) = site.ask(viewed, HTTP_COOKIE=f"{other}; mp_token_mixpanel={quote(kept)}")
    assert event["$device_id"] == DEVICE
    assert event["distinct_id"] == f"$device:{DEVICE}", "a user is not taken from a cookie"
    assert site.cookies == []


@pytest.mark.parametrize("kept", ["{", "[]", "%7B%22%24device_id%22%3A7%7D", "%FF"])
def test_a_broken_cookie_of_the_browser_library_is_passed_over(site, viewed, kept):
    (event,) = site.ask(viewed, HTTP_COOKIE=f"mp_token_mixpanel={kept}; {OWN}")
    assert event["$device_id"] == DEVICE
    assert site.errors == []


def test_a_user_is_the_distinct_id_and_both_ids_go_along(site, viewed):
    context = RequestContext(user=lambda request: request.header("x-user"))
    (event,) = site.ask(viewed, context, HTTP_X_USER="17", HTTP_COOKIE=OWN)
    assert (event["distinct_id"], event["$user_id"], event["$device_id"]) == ("17", "17", DEVICE)
    (event,) = site.ask(viewed, context, HTTP_COOKIE=OWN)
    assert (event["distinct_id"], event.get("$user_id")) == (f"$device:{DEVICE}", None)


@pytest.mark.parametrize("user", ["null", "0", "", "x" * 256, True, 1.5, None])
def test_what_mixpanel_takes_for_no_id_is_no_user(site, viewed, user):
    (event,) = site.ask(viewed, RequestContext(user=lambda _: user), HTTP_COOKIE=OWN)
    assert event["distinct_id"] == f"$device:{DEVICE}"
    assert "$user_id" not in event


def test_what_the_caller_says_wins(site):
    def view():
        own = {"$browser": "Mine", "utm_source": "mine", "request_id": 7}
        site.tracker.track(event="Viewed", properties=own, ip="192.0.2.1")

    (event,) = site.ask(view, QUERY_STRING="utm_source=news", trusted_proxies=[], HTTP_COOKIE=OWN)
    assert (event["$browser"], event["utm_source"], event["request_id"]) == ("Mine", "mine", 7)
    assert event["ip"] == "192.0.2.1"
    assert event["$device_id"] == DEVICE


def ids(event):
    return tuple(event.get(name) for name in ("distinct_id", "$user_id", "$device_id"))


@pytest.mark.parametrize(
    ("signed_in", "given", "expected"),
    [
        # Of the caller alone: its distinct_id is whoever it says.
        (None, {"distinct_id": "17"}, ("17", None, None)),
        (None, {"distinct_id": None}, ("", None, None)),
        # Of the signed-in user: the device is theirs.
        ("17", {"distinct_id": 17}, (17, "17", DEVICE)),
        # A sign-up or sign-in before the framework knows it.
        (None, {"user_id": 17}, (None, "17", DEVICE)),
        ("17", {"user_id": "17"}, (None, "17", DEVICE)),
        # An administrator who acts for somebody else is not merged with them.
        ("1", {"user_id": "17"}, (None, "17", None)),
        ("1", {"distinct_id": "17"}, ("17", None, None)),
        (None, {"device_id": "other"}, (None, None, "other")),
    ],
)
def test_a_person_whom_the_caller_names_gets_only_ids_of_theirs(site, signed_in, given, expected):
    context = RequestContext(user=lambda _: signed_in)
    (event,) = site.ask(lambda: site.tracker.track(event="Did", **given), context, HTTP_COOKIE=OWN)
    assert ids(event) == expected
    assert event["$browser"] == "Chrome"


PARTS = {
    "device": {"$device_id"},
    "ip": {"ip"},
    "browser": {"$browser", "$browser_version", "$os"},
    "referrer": {"$referrer", "$referring_domain"},
    "url": {"$current_url"},
    "campaign": {"utm_source"},
    "request_id": {"request_id"},
    "replay_id": {"$mp_replay_id"},
    "user": {"$user_id"},
}


@pytest.mark.parametrize("part", PARTS)
def test_each_part_can_be_switched_off_alone(site, viewed, part):
    environ = {
        "QUERY_STRING": "utm_source=news",
        "HTTP_REFERER": "https://news.example/",
        "HTTP_X_MIXPANEL_REPLAY_ID": "replay",
        "REMOTE_USER": "17",
    }
    (full,) = site.ask(viewed, trusted_proxies=[], **environ)
    (event,) = site.ask(viewed, RequestContext(**{part: False}), trusted_proxies=[], **environ)
    assert full.keys() - event.keys() == PARTS[part]


def test_nothing_known_is_an_event_of_nobody(site, viewed):
    (event,) = site.ask(viewed, RequestContext(device=False))
    assert event["distinct_id"] == ""


def test_an_address_is_masked_and_a_proxy_that_nobody_named_places_nobody(site, viewed):
    masked = RequestContext(ip="masked")
    (event,) = site.ask(viewed, masked, trusted_proxies=[])
    assert event["ip"] == "203.0.113.0"
    (event,) = site.ask(viewed, masked, trusted_proxies=[], REMOTE_ADDR="2001:db8:1:2::7")
    assert event["ip"] == "2001:db8:1::"
    (event,) = site.ask(viewed, REMOTE_ADDR="10.0.0.7", HTTP_X_FORWARDED_FOR="198.51.100.9")
    assert "ip" not in event
    (event,) = site.ask(viewed, REMOTE_ADDR="8.8.8.8")
    assert event["ip"] == "8.8.8.8"


def test_an_address_of_ipv4_that_is_written_as_ipv6_is_read_as_ipv4(site, viewed):
    mapped = "::ffff:8.8.8.8"  # what a server sees that listens on IPv6
    (event,) = site.ask(viewed, RequestContext(ip="masked"), REMOTE_ADDR=mapped)
    assert event["ip"] == "8.8.8.0"
    ours = RequestContext(ignore_networks=["8.8.8.0/24"])
    assert site.ask(viewed, ours, REMOTE_ADDR=mapped) == []


def test_a_peer_that_has_no_address_is_no_error(site, viewed):
    (event,) = site.ask(viewed, REMOTE_ADDR="testclient")
    assert "ip" not in event
    assert site.errors == []


def test_updates_of_profiles_have_the_address_too(site):
    site.ask(
        lambda: site.tracker.people.set("17", {"a": 1}),
        RequestContext(ip="masked"),
        trusted_proxies=[],
    )
    assert site.records[0]["$ip"] == "203.0.113.0"


def test_addresses_keep_the_fields_that_are_named_and_campaigns(site, viewed):
    (event,) = site.ask(
        viewed,
        RequestContext(query=["page"]),
        QUERY_STRING="page=2&session=secret&utm_term=a%20b",
        HTTP_HOST="shop.example",
        PATH_INFO="/caf\xc3\xa9",
        HTTP_REFERER="http://shop.example/?token=secret&page=1",
    )
    assert event["$current_url"] == "http://shop.example/caf%C3%A9?page=2&utm_term=a+b"
    assert event["$referrer"] == "http://shop.example/?page=1"


@pytest.mark.parametrize("header", ["javascript:alert(1)", "about:blank", "http://[", "x"])
def test_a_referrer_that_is_no_address_of_the_web_is_left_out(site, viewed, header):
    (event,) = site.ask(viewed, HTTP_REFERER=header)
    assert "$referrer" not in event
    assert site.errors == []


def test_long_values_are_cut_where_mixpanel_cuts_them(site, viewed):
    (event,) = site.ask(viewed, QUERY_STRING="utm_source=" + "%C3%A9" * 200)
    assert event["utm_source"] == "é" * 127


def test_a_request_id_that_is_none_is_made_and_is_one_for_the_request(site):
    def view():
        site.tracker.track(event="One")
        site.tracker.track(event="Two")

    one, two = site.ask(view, HTTP_X_REQUEST_ID="<script>")
    assert re.fullmatch("[0-9a-f]{16}", one["request_id"])
    assert one["request_id"] == two["request_id"]
    assert one["$device_id"] == two["$device_id"]


def test_a_device_may_come_from_the_application(site, viewed):
    context = RequestContext(device=lambda request: request.header("x-device"))
    (event,) = site.ask(viewed, context, HTTP_X_DEVICE="phone-7")
    assert event["$device_id"] == "phone-7"
    assert site.cookies == []


def test_a_device_is_reset_after_a_sign_out(site):
    def view():
        site.tracker.track(event="Signed Out")
        assert current_request().reset_device() is not None
        site.tracker.track(event="Viewed")

    before, after = site.ask(view, HTTP_COOKIE=OWN)
    assert before["$device_id"] == DEVICE
    assert UUID.fullmatch(after["$device_id"])
    assert after["$device_id"] != DEVICE
    assert site.cookies[0].startswith(f"mixrelay_device={after['$device_id']};")


def test_a_request_that_tracks_nothing_reads_nothing_and_sets_nothing(site):
    asked = []
    context = RequestContext(consent=asked.append, user=asked.append, ignore=asked.append)
    assert site.ask(lambda: None, context) == []
    assert (asked, site.cookies, site.errors) == ([], [], [])


# --- who is ignored


def tracks_both(site):
    def view():
        site.tracker.track(event="Viewed")
        site.tracker.track("17", "Paid")
        site.tracker.people.set("17", {"a": 1})

    return view


@pytest.mark.parametrize(
    ("context", "environ"),
    [
        (RequestContext(), {"HTTP_USER_AGENT": GOOGLEBOT}),
        (RequestContext(browser=False), {"HTTP_USER_AGENT": GOOGLEBOT}),
        (RequestContext(), {"HTTP_USER_AGENT": CHROME.replace("Chrome/", "HeadlessChrome/")}),
        (
            RequestContext(ignore=lambda request: request.path == "/health"),
            {"PATH_INFO": "/health"},
        ),
        (RequestContext(ignore_networks=["203.0.113.0/24"]), {}),
        (RequestContext(consent=lambda request: request.cookie("consent") == "yes"), {}),
        (RequestContext(), {"HTTP_COOKIE": "__mp_opt_in_out_token=0"}),
    ],
)
def test_an_ignored_request_gives_nothing_and_what_names_a_person_goes_out(site, context, environ):
    before = site.tracker.counters.ignored
    (paid,) = site.ask(tracks_both(site), context, trusted_proxies=[], **environ)
    assert (paid["distinct_id"], site.records[1]["$set"]) == ("17", {"a": 1})
    assert paid.keys() == {
        *("token", "distinct_id", "time", "$insert_id", "mp_lib", "$lib_version"),
    }
    assert "$ip" not in site.records[1]
    assert site.cookies == []
    assert site.tracker.counters.ignored == before + 1
    assert site.errors == []


@pytest.mark.parametrize(
    ("agent", "is_bot"),
    [
        ("Mozilla/5.0 (Linux; Android 9; CUBOT_X19) AppleWebKit/537.36 Chrome/100.0 Mobile", False),
        ("facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)", True),
        ("Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2)", True),
        ("Pingdom.com_bot_version_1.4_(http://www.pingdom.com/)", True),
        ("okhttp/4.12.0", False),
        ("", False),
    ],
)
@pytest.mark.parametrize("browser", [True, False])
def test_bots_are_known_by_their_names(site, viewed, agent, is_bot, browser):
    context = RequestContext(browser=browser)
    assert (site.ask(viewed, context, HTTP_USER_AGENT=agent) == []) is is_bot


def test_bots_may_be_let_in(site, viewed):
    (event,) = site.ask(viewed, RequestContext(bots=False), HTTP_USER_AGENT=GOOGLEBOT)
    assert event["$browser"] == "Googlebot"


# --- what fails


def fails(_):
    raise RuntimeError("of the application")


@pytest.mark.parametrize("part", ["device", "user", "ignore"])
def test_a_part_that_fails_is_reported_and_the_rest_goes_on(site, viewed, part):
    (event,) = site.ask(viewed, RequestContext(**{part: fails}))
    assert event["$browser"] == "Chrome"
    (error,) = set(map(str, site.errors))
    assert error.startswith(f"The request's {part} could not be read: RuntimeError.")
    assert isinstance(site.errors[0], RequestContextError)


def test_a_consent_that_fails_is_a_refusal(site, viewed):
    assert site.ask(viewed, RequestContext(consent=fails)) == []
    assert site.cookies == []
    assert len(site.errors) == 1


class Unreadable:
    """An answer that fails only when somebody looks, as Django's lazy objects do."""

    def __bool__(self):
        raise LookupError("no database")


async def said_later():
    return False


@pytest.mark.parametrize("consent", [lambda _: said_later(), lambda _: Unreadable()])
def test_an_answer_that_nobody_can_read_is_no_consent(site, viewed, consent):
    assert site.ask(viewed, RequestContext(consent=consent)) == []
    assert site.cookies == []
    assert str(site.errors[0]).startswith("The request's consent could not be read:")


@pytest.mark.parametrize(
    ("part", "answer"),
    [("ignore", lambda _: Unreadable()), ("user", lambda _: SimpleLazyObject(lambda: fails(_)))],
)
def test_an_answer_that_fails_when_it_is_looked_at_fails_no_request(site, viewed, part, answer):
    (event,) = site.ask(viewed, RequestContext(**{part: answer}))
    assert event["$browser"] == "Chrome"
    assert str(site.errors[0]).startswith(f"The request's {part} could not be read:")


def test_an_applications_ending_passes_through(site, viewed):
    class SoftTimeLimitExceeded(Exception):
        __module__ = "celery.exceptions"

    def ended(_):
        raise SoftTimeLimitExceeded

    with pytest.raises(SoftTimeLimitExceeded):
        site.ask(viewed, RequestContext(user=ended))


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"consent": "no.such.function"}, "context.consent"),
        ({"ignore": 7}, "context.ignore"),
        ({"ignore": True}, "context.ignore"),
        ({"consent": True}, "context.consent"),
        ({"consent": False}, "context.consent"),
        ({"browser": "yes"}, "context.browser"),
        ({"ip": "some"}, "context.ip"),
        ({"ignore_networks": "10.0.0.0/8"}, "context.ignore_networks"),
        ({"ignore_networks": ["10.0.0.0/64"]}, "context.ignore_networks"),
        ({"cookie": "a b"}, "context.cookie"),
        ({"page_views": 7}, "context.page_views"),
        ({"brwser": False}, "brwser"),
    ],
)
def test_what_cannot_work_is_an_error_at_start(site, viewed, options, named):
    with pytest.raises(ConfigurationError, match=re.escape(named)):
        site.ask(viewed, options)


def test_without_the_extra_the_error_says_what_to_install(site, viewed, monkeypatch):
    browsers.parser.cache_clear()
    monkeypatch.setitem(__import__("sys").modules, "ua_parser", None)
    try:
        with pytest.raises(ConfigurationError, match=r"mixrelay\[web\]"):
            site.ask(viewed)
        (event,) = site.ask(viewed, {"BROWSER": False})
    finally:
        browsers.parser.cache_clear()
    assert "$device_id" in event
