"""Django's own sessions and users: who is signed in, without a query of ours."""

import json
import sys

from tests.support.processes import finished

PROGRAM = """
import sys
from types import ModuleType

import django
from django.conf import settings
settings.configure(
    ALLOWED_HOSTS=["*"],
    SECRET_KEY="secret",
    USE_TZ=True,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    INSTALLED_APPS=[
        "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions",
    ],
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    ROOT_URLCONF="shop_urls",
    MIDDLEWARE=[
        "mixrelay.producer.integrations.django.MixrelayMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    MIXRELAY={"TOKEN": "token", "CONTEXT": True},
)
django.setup()
from django.contrib.auth import login, logout
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext, override_settings
from django.urls import path

from mixrelay.producer import current_request
from mixrelay.producer.integrations.django import get_tracker
from mixrelay.producer.testing import capture

call_command("migrate", verbosity=0)
ann = User.objects.create_user("ann", password="secret")


def track(name):
    if current_request() is not None:
        get_tracker().track(event=name)


def signin(request):
    track("Before")
    login(request, ann)
    track("Signed In")
    return HttpResponse()


def untouched(request):
    track("Untouched")
    return HttpResponse()


def read(request):
    request.session.get("cart")
    track("Session Read")
    return HttpResponse()


def touched(request):
    assert request.user.username == "ann"
    track("Touched")
    return HttpResponse()


async def awaited(request):
    user = await request.auser()
    assert user.username == "ann"
    track("Awaited")
    return HttpResponse()


def signout(request):
    logout(request)
    track("Signed Out")
    return HttpResponse()


urls = ModuleType("shop_urls")
views = (signin, untouched, read, touched, awaited, signout)
urls.urlpatterns = [path(view.__name__, view) for view in views]
sys.modules["shop_urls"] = urls
all_middleware = settings.MIDDLEWARE
with capture() as sink:
    for middleware in (all_middleware, all_middleware[1:]):
        found = []
        with override_settings(MIDDLEWARE=middleware):
            client = Client()
            for view in views:
                with CaptureQueriesContext(connection) as queries:
                    assert client.get(f"/{view.__name__}").status_code == 200
                found.append(len(queries))
        print(found)
for event in sink.events:
    user = event.properties.get("$user_id")
    whose = {str(ann.pk): "ann", None: "nobody"}[user]
    print(event.name, "-", whose, event.distinct_id == user)
"""


def test_the_user_is_known_once_something_looked_and_never_costs_a_query() -> None:
    done = finished(
        [sys.executable, "-W", "error", "-c", PROGRAM],
        check=False,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    queries, without, *events = done.stdout.splitlines()
    assert queries == without, "as many queries as without the middleware"
    assert json.loads(queries)[1] == 0, "where the view asks for nothing there is none"
    assert events == [
        "Before - nobody False",
        "Signed In - ann True",
        "Untouched - nobody False",
        "Session Read - ann True",
        "Touched - ann True",
        "Awaited - ann True",
        "Signed Out - nobody False",
    ]
