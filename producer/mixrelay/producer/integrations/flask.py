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

``MIXRELAY_CONTEXT = True`` gives each event what its request knows (docs/web.md): True, a
``RequestContext``, or a dict of its arguments. The user is Flask-Login's.

Configuration: ``MIXRELAY_`` and, in capitals, the name of any argument of ``Tracker`` and of the
middleware: ``MIXRELAY_TOKEN``, ``MIXRELAY_REDIS_URL``, ``MIXRELAY_TRUSTED_PROXIES``. A text for
``MIXRELAY_BEFORE_SEND`` and other hooks, and ``MIXRELAY_REDIS``, is the path to import it by. What
is not there, or empty, comes from the environment, as for ``Tracker``. ``MIXRELAY_DISABLED``
switches tracking off, and needs no token.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

from flask import Flask, current_app, g, has_request_context, request, session
from werkzeug.local import LocalProxy

from mixrelay.producer.context.web_request import EnvironRequest, WebRequest
from mixrelay.producer.integrations.request import Requests, check_sync
from mixrelay.producer.integrations.settings import tracker_from
from mixrelay.producer.integrations.wsgi import MixrelayMiddleware, responding
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
        context = settings.pop("context", False)
        tracker = self._tracker or tracker_from(settings, "MIXRELAY_{}")
        app.extensions[EXTENSION] = tracker
        check_sync(tracker)
        # Around all of Flask's own, since a response is closed after the last of its functions.
        _wrap(app, Requests(tracker, trusted_proxies, context, _signed_in, "MIXRELAY_CONTEXT"))


def _wrap(app: Flask, requests: Requests) -> None:
    inner = app.wsgi_app
    middleware = MixrelayMiddleware.around(inner, requests, _FlaskRequest)

    def wsgi_app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if not app.testing:
            return middleware(environ, start_response)
        # Flask's test client closes no response, and a test looks at once.
        if not requests.has_context:
            with requests.batch_of(environ):
                return inner(environ, start_response)
        live = requests.live(_FlaskRequest(environ))
        with requests.batch_for(live):
            return inner(environ, responding(requests, live, start_response))

    app.wsgi_app = wsgi_app  # type: ignore[method-assign]


class _FlaskRequest(EnvironRequest):
    @property
    def route(self) -> str | None:
        """The rule that Flask chose, such as ``/shop/<name>``."""
        rule = request.url_rule if has_request_context() else None
        return super().route if rule is None else rule.rule


def _signed_in(_: WebRequest) -> Any:
    """Return the id of Flask-Login's user, from the session; nobody is loaded from a database."""
    if not has_request_context():
        return None
    user = g.get("_login_user")
    if user is None:
        return session.get("_user_id")
    return user.get_id() if user.is_authenticated else None


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
