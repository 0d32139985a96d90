"""The application: to run by itself, or to mount in another one."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount

from mixrelay.console.dashboard.assets import Assets
from mixrelay.console.dashboard.failing import words_for
from mixrelay.console.dashboard.guard import Guard, Identify, Users
from mixrelay.console.dashboard.options import DashboardSettings
from mixrelay.console.dashboard.pages import ROUTES
from mixrelay.console.dashboard.place import STATIC, Place
from mixrelay.shared.errors import ConfigurationError
from mixrelay.shared.settings import Settings


def create_app(
    settings: Settings | None = None,
    dashboard: DashboardSettings | None = None,
    *,
    identify: Identify | None = None,
    secret: str = "",
    mounted: bool = True,
) -> Starlette:
    """The page as an ASGI application.

    Args:
        settings: where the queue is; None reads the environment.
        dashboard: who may come in; None reads the environment.
        identify: names the user of a request, None for a stranger; in place of passwords.
        secret: signs the forms, the same in every process that serves the page; without one a
            random key does that is kept in Redis.
        mounted: whether another application serves it, and so checks the Host itself.

    Raises:
        ConfigurationError: it is mounted and nobody would be asked for a password, or the forms
            of one process would not be known to the next.
    """
    settings = settings or Settings.from_environment()
    dashboard = dashboard or DashboardSettings.from_environment()
    if mounted:
        _check_mounted(dashboard, identify, secret)
    place = Place(settings, dashboard, secret=secret)
    hosts = None if mounted else dashboard.allowed_hosts()
    guard = Middleware(
        Guard, users=Users(dashboard, identify), hosts=hosts, read_only=dashboard.read_only
    )
    app = Starlette(
        routes=[*ROUTES, Mount("/static", Assets(STATIC, place.fingerprint), name="static")],
        middleware=[guard],
        exception_handlers={HTTPException: _refusal},
        lifespan=_lifespan,
    )
    app.state.place = place
    return app


def _check_mounted(dashboard: DashboardSettings, identify: Identify | None, secret: str) -> None:
    if not dashboard.is_open:
        return
    if identify is None:
        raise ConfigurationError(
            "A mounted dashboard needs MIXRELAY_DASHBOARD_TOKEN, MIXRELAY_DASHBOARD_USERS, or "
            "identify=…, a function from the request to the user's name."
        )
    if not secret:
        raise ConfigurationError(
            "A dashboard with identify=… needs secret=…, the same in every process, such as the "
            "key that signs the application's sessions: it signs the forms."
        )


@contextlib.asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    yield
    app.state.place.close()


def _refusal(request: Request, error: Any) -> Response:
    text = _WORDS.get(error.status_code, "") if error.detail in _BARE else error.detail
    answer = words_for(request, error.status_code, text or error.detail)
    answer.headers.update(error.headers or {})
    return answer


_BARE = ("Not Found", "Method Not Allowed")
_WORDS = {
    404: "There is no such page here.",
    405: "This address takes changes from forms alone: open the page that has the form.",
}
