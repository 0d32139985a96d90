"""The application: to run by itself, or to mount in another one."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from mixrelay.console.dashboard.guard import Guard, Identify, Users
from mixrelay.console.dashboard.options import DashboardSettings
from mixrelay.console.dashboard.pages import ROUTES
from mixrelay.console.dashboard.place import FOLDER, Place
from mixrelay.shared.errors import ConfigurationError
from mixrelay.shared.settings import Settings


def create_app(
    settings: Settings | None = None,
    dashboard: DashboardSettings | None = None,
    *,
    identify: Identify | None = None,
    mounted: bool = True,
) -> Starlette:
    """The page as an ASGI application.

    Args:
        settings: where the queue is; None reads the environment.
        dashboard: who may come in; None reads the environment.
        identify: names the user of a request, None for a stranger; in place of passwords.
        mounted: whether another application serves it, and so checks the Host itself.

    Raises:
        ConfigurationError: it is mounted and nobody would be asked for a password.
    """
    settings = settings or Settings.from_environment()
    dashboard = dashboard or DashboardSettings.from_environment()
    if mounted and identify is None and dashboard.is_open:
        raise ConfigurationError(
            "A mounted dashboard needs MIXRELAY_DASHBOARD_TOKEN, MIXRELAY_DASHBOARD_USERS, or "
            "identify=…, a function from the request to the user's name."
        )
    place = Place(settings, dashboard)
    hosts = None if mounted else dashboard.allowed_hosts()
    guard = Middleware(
        Guard, users=Users(dashboard, identify), hosts=hosts, read_only=dashboard.read_only
    )
    app = Starlette(
        routes=[*ROUTES, Mount("/static", StaticFiles(directory=FOLDER / "static"), name="static")],
        middleware=[guard],
        exception_handlers={HTTPException: _refusal},
        lifespan=_lifespan,
    )
    app.state.place = place
    return app


@contextlib.asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    yield
    app.state.place.close()


def _refusal(_request: Request, error: Any) -> Response:
    return PlainTextResponse(error.detail, error.status_code)
