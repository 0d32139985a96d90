"""Flask: one batch a request, sent when the server closes the response.

    mixrelay = Mixrelay()

    def create_app():
        app = Flask(__name__)
        app.config["MIXRELAY_TOKEN"] = "PROJECT_TOKEN"
        mixrelay.init_app(app)
        return app

    @app.post("/upgrade")
    def upgrade():
        current_tracker.track(session["user"], "Plan Upgraded")

Configuration: ``MIXRELAY_`` and, in capitals, the name of any argument of ``Tracker`` and of the
middleware: ``MIXRELAY_TOKEN``, ``MIXRELAY_REDIS_URL``, ``MIXRELAY_TRUSTED_PROXIES``. A text for
``MIXRELAY_BEFORE_SEND`` and other hooks, and ``MIXRELAY_REDIS``, is the path to import it by. What
is not there, or empty, comes from the environment, as for ``Tracker``. ``MIXRELAY_DISABLED``
switches tracking off, and needs no token.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

from flask import Flask, current_app
from werkzeug.local import LocalProxy

from mixrelay.producer.integrations.request import Requests, TrustedProxies
from mixrelay.producer.integrations.settings import tracker_from
from mixrelay.producer.integrations.wsgi import MixrelayMiddleware
from mixrelay.producer.tracker import Tracker

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

EXTENSION = "mixrelay"


class Mixrelay:
    """The extension; one may serve several applications, each with its own tracker."""

    def __init__(self, app: Flask | None = None, *, tracker: Tracker[Any] | None = None) -> None:
        """Make one, for an application that is there or for those that ``init_app`` names.

        Args:
            app: the application, if it exists already.
            tracker: else each application gets one by its configuration.
        """
        self._tracker = tracker
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Give an application its tracker, and each of its requests a batch.

        Raises:
            ConfigurationError: there is no token, or a setting cannot work.
        """
        settings = app.config.get_namespace("MIXRELAY_")
        trusted_proxies = settings.pop("trusted_proxies", None)
        tracker = self._tracker or tracker_from(settings, "MIXRELAY_{}")
        app.extensions[EXTENSION] = tracker
        # Around all of Flask's own, since a response is closed after the last of its functions.
        _wrap(app, tracker, trusted_proxies)


def _wrap(app: Flask, tracker: Tracker[Any], trusted_proxies: TrustedProxies) -> None:
    inner = app.wsgi_app
    requests = Requests(tracker, trusted_proxies)
    middleware = MixrelayMiddleware(inner, tracker, trusted_proxies=trusted_proxies)

    def wsgi_app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if not app.testing:
            return middleware(environ, start_response)
        # Flask's test client closes no response, and a test looks at once.
        with requests.batch_of(environ):
            return inner(environ, start_response)

    app.wsgi_app = wsgi_app  # type: ignore[method-assign]


def get_tracker() -> Tracker[Any]:
    """Return the tracker of the application that is active.

    Raises:
        RuntimeError: none is, or ``init_app`` was not called with it.
    """
    tracker = current_app.extensions.get(EXTENSION)
    if tracker is None:
        raise RuntimeError("This application has no tracker: call Mixrelay().init_app(app).")
    return cast("Tracker[Any]", tracker)


current_tracker = cast("Tracker[Any]", LocalProxy(get_tracker))
"""The tracker of the application that is active."""
