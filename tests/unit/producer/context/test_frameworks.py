"""Frameworks' own test clients, settings and users, with a request's context."""

import asyncio
import sys
from types import ModuleType, SimpleNamespace

import flask
import pytest
from django.http import HttpResponse, StreamingHttpResponse
from django.test import AsyncClient, Client, override_settings
from django.urls import path
from starlette.authentication import BaseUser

from mixrelay.producer import ConfigurationError, RequestContext, Tracker, current_request
from mixrelay.producer.integrations.asgi import MixrelayMiddleware
from mixrelay.producer.integrations.django import get_tracker
from mixrelay.producer.integrations.flask import Mixrelay, current_tracker
from mixrelay.producer.testing import MemorySink, capture
from tests.support import django_project  # noqa: F401 - settings, before any of Django's is used
from tests.unit.producer.context.conftest import CHROME, DEVICE

MIDDLEWARE = "mixrelay.producer.integrations.django.MixrelayMiddleware"
AGENT = {"User-Agent": CHROME}


@pytest.fixture
def settings():
    """Functions that a text in a framework's settings names."""
    module = ModuleType("shop_settings")
    module.consent = lambda request: request.cookie("consent") == "yes"
    module.user = lambda request: getattr(request.native, "member", None)
    sys.modules["shop_settings"] = module
    yield module
    del sys.modules["shop_settings"]


def view(request, name):
    get_tracker().track(event="Viewed")
    return HttpResponse("<h1>Page</h1>")


async def async_view(request):
    get_tracker().track(event="Viewed")
    return HttpResponse("<h1>Page</h1>")


def stream(request):
    def pieces():
        get_tracker().track(event="Streamed")
        yield b"text"

    get_tracker().track(event="Viewed")
    return StreamingHttpResponse(pieces(), content_type="text/plain")


def fails(request):
    get_tracker().track(event="Viewed")
    raise RuntimeError("of the view")


urlpatterns = [
    path("shop/<name>", view),
    path("awaited", async_view),
    path("stream", stream),
    path("fails", fails),
]


@pytest.fixture
def django():
    """Sets Django up with a context, and keeps what is tracked."""

    def with_context(context):
        configured = {"TOKEN": "token", "CONTEXT": context}
        overriding = override_settings(
            ROOT_URLCONF=__name__, MIDDLEWARE=[MIDDLEWARE], MIXRELAY=configured
        )
        overriding.enable()
        entered.append(overriding)
        return Client(headers=AGENT, raise_request_exception=False)

    entered = []
    with capture() as sink:
        yield SimpleNamespace(client=with_context, sink=sink)
    for one in entered:
        one.disable()


def test_django_sets_the_cookie_and_names_the_route(django):
    client = django.client({"page_views": True})
    response = client.get("/shop/tea", secure=True)
    assert [one.name for one in django.sink.events] == ["Viewed", "Page View"]
    viewed, page = (one.properties for one in django.sink.events)
    assert page["route"] == "/shop/<name>"
    assert page["$current_url"] == "https://testserver/shop/tea"
    cookie = response.cookies["mixrelay_device"]
    assert cookie.value == viewed["$device_id"] == page["$device_id"]
    assert (cookie["secure"], cookie["httponly"], cookie["samesite"]) == (True, True, "Lax")
    client.get("/shop/tea")
    assert {one.properties["$device_id"] for one in django.sink.events} == {cookie.value}


def test_django_by_asgi_and_a_streams_pieces_know_the_request(django):
    client = django.client(True)

    async def ask():
        return await AsyncClient(headers=AGENT).get("/awaited")

    response = asyncio.run(ask())
    (event,) = django.sink.events
    assert response.cookies["mixrelay_device"].value == event.properties["$device_id"]
    django.sink.clear()
    assert client.get("/stream").getvalue() == b"text"
    viewed, streamed = (one.properties for one in django.sink.events)
    assert viewed["$device_id"] == streamed["$device_id"]
    assert current_request() is None


def test_a_view_of_django_that_fails_has_tracked_and_leaves_nothing(django):
    client = django.client(True)
    assert client.get("/fails").status_code == 500
    assert [one.properties["$browser"] for one in django.sink.events] == ["Chrome"]
    assert current_request() is None


def test_djangos_settings_name_functions_by_their_paths(django, settings):
    client = django.client({"CONSENT": "shop_settings.consent", "user": "shop_settings.user"})
    client.get("/shop/tea")
    assert django.sink.events == []
    client.cookies["consent"] = "yes"
    client.get("/shop/tea")
    assert len(django.sink.events) == 1


def test_a_wrong_setting_is_named_as_it_was_written(django):
    client = django.client({"brwser": True})
    with pytest.raises(ConfigurationError, match=r'MIXRELAY\["CONTEXT"\] has no brwser\.'):
        client.get("/shop/tea")


@pytest.mark.parametrize("testing", [True, False])
def test_flask_knows_its_sessions_user_and_its_rule(testing):
    sink = MemorySink()
    app = flask.Flask("shop")
    app.config |= {
        "TESTING": testing,
        "SECRET_KEY": "secret",
        "MIXRELAY_CONTEXT": RequestContext(page_views=True),
    }
    Mixrelay(app, tracker=Tracker("token", sink=sink))

    @app.get("/shop/<name>")
    def shop(name):
        current_tracker.track(event="Viewed")
        flask.session["_user_id"] = "17"  # as Flask-Login's login_user does
        return "<h1>Page</h1>"

    with app.test_client() as client:
        response = client.get("/shop/tea", headers=AGENT)
        response.close()
    viewed, page = sink.events
    assert (viewed.distinct_id, page.distinct_id) == (
        f"$device:{viewed.properties['$device_id']}",
        "17",
    )
    assert page.properties["route"] == "/shop/<name>"
    assert any(one.startswith("mixrelay_device=") for one in response.headers.getlist("Set-Cookie"))


class Named(BaseUser):
    """Has a name, and no identity."""

    is_authenticated = True
    display_name = "Ann"


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        (SimpleNamespace(is_authenticated=True, identity=17), "17"),
        (SimpleNamespace(is_authenticated=False, identity="17"), f"$device:{DEVICE}"),
        (Named(), f"$device:{DEVICE}"),
        (None, f"$device:{DEVICE}"),
    ],
)
def test_starlettes_user_is_known_by_its_identity(user, expected):
    errors = []
    sink = MemorySink()
    tracker = Tracker("token", sink=sink, error_handler=errors.append)

    async def app(scope, receive, send):
        if user is not None:
            scope["user"] = user
        tracker.track(event="Viewed")

    headers = [(b"cookie", f"mixrelay_device={DEVICE}".encode())]
    wrapped = MixrelayMiddleware(app, tracker, context=True)
    asyncio.run(wrapped({"type": "http", "headers": headers}, None, None))
    assert (sink.events[0].distinct_id, errors) == (expected, [])
