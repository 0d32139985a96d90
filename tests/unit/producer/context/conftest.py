import json
from wsgiref.util import setup_testing_defaults

import pytest

from mixrelay.producer import Tracker
from mixrelay.producer.integrations.wsgi import MixrelayMiddleware

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/131.0.0.0 Safari/537.36"
)
GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
DEVICE = "0b3ee5ac-1f0a-4e6d-9a53-0d7a8a3b3c11"


class Site:
    """One application of WSGI: what its view does, and what became of it."""

    def __init__(self):
        self.records = []
        self.errors = []
        self.headers = []
        self.tracker = Tracker("token", sink=self._take, error_handler=self.errors.append)

    def _take(self, kind, message):
        self.records.append(json.loads(message)["data"])
        return True

    def ask(self, view, context=True, *, trusted_proxies=None, kind="text/plain", **environ):
        """Answer one request; return the properties of its events."""

        def begun(_status, headers, *_):
            self.headers = headers

        def app(environ, start_response):
            view()
            start_response("200 OK", [("Content-Type", kind)])
            return [b"answer"]

        given = {"HTTP_USER_AGENT": CHROME, "REMOTE_ADDR": "203.0.113.77", **environ}
        setup_testing_defaults(given)
        wrapped = MixrelayMiddleware(
            app, self.tracker, trusted_proxies=trusted_proxies, context=context
        )
        del self.records[:]
        body = wrapped(given, begun)
        list(body)
        body.close()
        return [one["properties"] for one in self.records if "event" in one]

    @property
    def cookies(self):
        """The cookies that the last response set."""
        return [value for name, value in self.headers if name == "Set-Cookie"]


@pytest.fixture
def site():
    return Site()


@pytest.fixture
def viewed(site):
    """A view that tracks one event of whoever asks."""
    return lambda: site.tracker.track(event="Viewed")
