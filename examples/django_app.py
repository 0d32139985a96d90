"""Django in one file: POST /upgrade/ann

python examples/run.py django      # with a Valkey, a worker and the sandbox
python examples/django_app.py runserver 8000
"""

import os
import sys

from django.conf import settings
from django.core.management import execute_from_command_line
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path

from mixrelay.producer.integrations.django import get_tracker

settings.configure(
    DEBUG=True,
    SECRET_KEY="only for this example",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    MIDDLEWARE=["mixrelay.producer.integrations.django.MixrelayMiddleware"],
    MIXRELAY={"TOKEN": os.environ.get("MIXPANEL_TOKEN"), "TRUSTED_PROXIES": ["127.0.0.1"]},
)


def upgrade(_request: HttpRequest, user: str) -> JsonResponse:
    """Track three messages, which go to the queue together, after the response."""
    tracker = get_tracker()
    tracker.track(user, "Plan Upgraded", {"New Plan": "Premium"})
    tracker.people.set(user, {"Plan": "Premium"})
    tracker.people.plus_one(user, "Upgrades")
    return JsonResponse({"upgraded": user})


urlpatterns = [path("upgrade/<user>", upgrade)]
application = get_wsgi_application()

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
