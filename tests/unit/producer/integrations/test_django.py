import asyncio
import sys

import pytest
from django.http import HttpResponse, HttpResponseNotModified, StreamingHttpResponse
from django.test import AsyncClient, Client, override_settings
from django.urls import path

from mixrelay.producer import ConfigurationError
from mixrelay.producer.integrations.django import MixrelayMiddleware, get_tracker
from tests.support import django_project  # noqa: F401 - settings, before any of Django's is used
from tests.support.processes import finished

MIDDLEWARE = "mixrelay.producer.integrations.django.MixrelayMiddleware"
SEEN = []


def view(request):
    get_tracker().track("user", "Viewed")
    get_tracker().track("user", "Viewed more")
    return HttpResponse("text")


async def async_view(request):
    get_tracker().track("user", "Viewed")
    return HttpResponse("text")


async def awaiting_view(request):
    await get_tracker().track("user", "Viewed")
    return HttpResponse("text")


def stream(request):
    get_tracker().track("user", "Called")
    return StreamingHttpResponse(iter([b"text"]))


def long_stream(request):
    def pieces():
        for number in range(3):
            get_tracker().track("user", f"Piece {number}")
            yield b"text"

    get_tracker().track("user", "Called")
    return StreamingHttpResponse(pieces())


async def awaited_stream(request):
    async def pieces():
        for number in range(3):
            get_tracker().track("user", f"Piece {number}")
            yield b"text"

    get_tracker().track("user", "Called")
    return StreamingHttpResponse(pieces())


def broken(request):
    get_tracker().track("user", "Tried")
    raise ValueError


urlpatterns = [
    path("view", view),
    path("async", async_view),
    path("awaiting", awaiting_view),
    path("stream", stream),
    path("long", long_stream),
    path("awaited", awaited_stream),
    path("broken", broken),
]


def noting(get_response):
    """A middleware outside of ours: what has been sent when it passes the response on."""

    def answer(request):
        response = get_response(request)
        SEEN.append(len(get_tracker()._outlet._sink.sent))
        return response

    return answer


def replacing(get_response):
    """One that drops a response for another, as Django's conditional GET does."""

    def answer(request):
        get_response(request)
        return HttpResponseNotModified()

    return answer


@pytest.fixture(scope="module", autouse=True)
def project():
    with override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=[MIDDLEWARE]):
        yield


@pytest.fixture
def client(sink):
    with override_settings(MIXRELAY={"TOKEN": "token", "SINK": sink}):
        yield Client(raise_request_exception=False)


def path_to(name):
    return f"{__name__}.{name}"


def test_a_request_is_one_sending(client, sink):
    assert client.get("/view").status_code == 200
    assert sink.names == [["Viewed", "Viewed more"]]


def test_it_is_sent_after_the_response(client, sink):
    SEEN.clear()
    with override_settings(MIDDLEWARE=[path_to("noting"), MIDDLEWARE]):
        client.get("/view")
    assert SEEN == [0]
    assert len(sink.sent) == 1


def test_a_response_that_is_dropped_for_another_has_its_messages_sent(client, sink):
    with override_settings(MIDDLEWARE=[path_to("replacing"), MIDDLEWARE]):
        assert client.get("/view").status_code == 304
    assert sink.names == [["Viewed", "Viewed more"]]


def test_a_stream_is_sent_before_its_body(client, sink):
    answer = client.get("/stream")
    assert sink.names == [["Called"]]
    assert answer.getvalue() == b"text"


STREAMED = [["Called"], ["Piece 0"], ["Piece 1"], ["Piece 2"]]


@pytest.mark.parametrize("where", ["/long", "/awaited"])
def test_what_a_stream_tracks_has_the_users_address(sink, where):
    trusting = {"TOKEN": "t", "SINK": sink, "TRUSTED_PROXIES": []}
    with override_settings(MIXRELAY=trusting):
        if where == "/long":
            assert Client().get(where).getvalue() == b"text" * 3
        else:
            assert asyncio.run(_awaited(where)) == b"text" * 3
    assert sink.names == [["Called"], ["Piece 0"], ["Piece 1"], ["Piece 2"]]
    assert set(sink.ips) == {"127.0.0.1"}


async def _awaited(where):
    answer = await AsyncClient().get(where)
    return b"".join([piece async for piece in answer.streaming_content])


COMMITTING = """
import django
from django.conf import settings
settings.configure(
    MIXRELAY={"TOKEN": "token"},
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
)
django.setup()
from functools import partial
from django.db import transaction
from mixrelay.producer.integrations.django import get_tracker
from mixrelay.producer.testing import capture

def order(item):
    transaction.on_commit(partial(get_tracker().track, "user", "Ordered", {"Item": item}))

with capture() as sink:
    with transaction.atomic():
        order("Tea")
        assert sink.events == []
    try:
        with transaction.atomic():
            order("Coffee")
            raise KeyError
    except KeyError:
        pass
    print([event.properties["Item"] for event in sink.events])
"""


def test_what_is_tracked_on_commit_is_not_where_the_transaction_is_undone():
    command = [sys.executable, "-W", "error", "-c", COMMITTING]
    done = finished(command, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "['Tea']"


def test_a_request_that_fails_has_its_messages_sent(client, sink):
    assert client.get("/broken").status_code == 500
    assert sink.names == [["Tried"]]


def test_the_next_request_has_a_batch_of_its_own(client, sink):
    client.get("/view")
    client.get("/view")
    assert sink.names == [["Viewed", "Viewed more"]] * 2


@pytest.mark.parametrize("where", ["/view", "/async"])
def test_under_asgi_a_request_is_one_sending_too(client, sink, where):
    assert asyncio.run(AsyncClient().get(where)).status_code == 200
    assert len(sink.sent) == 1


def test_an_async_tracker_is_awaited(async_sink):
    with override_settings(MIXRELAY={"TOKEN": "token", "SINK": async_sink}):
        assert asyncio.run(AsyncClient().get("/awaiting")).status_code == 200
    assert async_sink.names == [["Viewed"]]


def test_the_address_comes_through_trusted_proxies(sink):
    named = {"TOKEN": "token", "SINK": sink, "TRUSTED_PROXIES": ["127.0.0.1"]}
    with override_settings(MIXRELAY=named):
        Client().get("/view", headers={"X-Forwarded-For": "203.0.113.7"})
    assert sink.ips == ["203.0.113.7"] * 2


def test_a_sink_can_be_named_by_its_path(capsys):
    named = {"TOKEN": "token", "SINK": "builtins.print"}
    with override_settings(MIXRELAY=named):
        get_tracker().track("user", "Viewed")
    assert capsys.readouterr().out.startswith('event {"data":')


@pytest.mark.parametrize("off", [True, "on", " TRUE\n"])
def test_disabled_is_a_setting_that_needs_no_token(off):
    with override_settings(MIXRELAY={"DISABLED": off}):
        assert Client().get("/view").status_code == 200
        assert get_tracker().track("user", "Viewed") is True
        assert repr(get_tracker()) == "Tracker(…, disabled)"


def test_before_send_can_be_named_by_its_path(sink):
    named = {"TOKEN": "token", "SINK": sink, "BEFORE_SEND": f"{__name__}.nothing"}
    with override_settings(MIXRELAY=named):
        assert get_tracker().track("user", "Viewed") is True
    assert sink.ips == []


def nothing(_kind, _record):
    """A hook that keeps everything back."""


def test_a_setting_that_cannot_be_meant_is_named_as_it_was_written():
    with (
        override_settings(MIXRELAY={"TOKEN": "token", "DISABLED": "maybe"}),
        pytest.raises(ConfigurationError, match=r"""MIXRELAY\["DISABLED"\] is 'maybe'; set it"""),
    ):
        get_tracker()


def test_a_misspelt_setting_is_refused_at_the_start():
    with (
        override_settings(MIXRELAY={"TOKEN": "token", "QUEU": "q"}),
        pytest.raises(ConfigurationError, match=r'MIXRELAY\["QUEU"\]: there is no such setting'),
    ):
        MixrelayMiddleware(view)


def test_without_settings_the_environment_counts(monkeypatch):
    monkeypatch.setenv("MIXPANEL_TOKEN", "from-environment")
    get_tracker.cache_clear()
    assert get_tracker()._token == "from-environment"
    get_tracker.cache_clear()
