"""The dashboard in a Django project, for its staff: /ops/mixrelay/

    gunicorn --chdir examples --workers 2 --preload dashboard_django:application

Sign in at /accounts/login/, as ann with the password "only-an-example".
"""

import tempfile

import django
from django.conf import settings
from django.contrib.auth.decorators import user_passes_test
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path, re_path
from django.views.decorators.csrf import csrf_exempt

from mixrelay.console.dashboard import create_wsgi_app

UNDER = "ops/mixrelay"
LOGIN = {"registration/login.html": "<form method=post>{% csrf_token %}{{ form }}<button>Sign in"}
LOADER = ("django.template.loaders.locmem.Loader", LOGIN)
DJANGO, CONTRIB = "django.template.backends.django.DjangoTemplates", "django.contrib"
DATABASE = f"{tempfile.mkdtemp()}/db.sqlite3"
settings.configure(
    SECRET_KEY="the key of your sessions",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=[f"{CONTRIB}.contenttypes", f"{CONTRIB}.auth", f"{CONTRIB}.sessions"],
    MIDDLEWARE=[
        f"{CONTRIB}.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        f"{CONTRIB}.auth.middleware.AuthenticationMiddleware",
    ],
    TEMPLATES=[{"BACKEND": DJANGO, "OPTIONS": {"loaders": [LOADER]}}],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": DATABASE}},
    LOGIN_REDIRECT_URL=f"/{UNDER}/",
)
django.setup()
page = create_wsgi_app(secret=settings.SECRET_KEY)


@csrf_exempt  # its forms carry tokens of their own
@user_passes_test(lambda user: user.is_staff)
def mixrelay(request: HttpRequest, rest: str) -> HttpResponse:
    who = request.user.get_username()
    status, headers, body = page.answer(request.META, under=f"/{UNDER}", path=rest, user=who)
    return HttpResponse(body, status=status, headers=headers)


from django.contrib.auth import models, views  # noqa: E402 - after setup()

urlpatterns = [
    path("accounts/login/", views.LoginView.as_view()),
    re_path(f"^{UNDER}/(?P<rest>.*)", mixrelay),
]
call_command("migrate", verbosity=0)
models.User.objects.create_user("ann", password="only-an-example", is_staff=True)
application = get_wsgi_application()
