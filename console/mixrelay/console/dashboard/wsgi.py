"""The page for WSGI applications: Flask, Django and others."""

import os
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

from a2wsgi import ASGIMiddleware
from starlette.requests import Request

from mixrelay.console.dashboard.app import create_app
from mixrelay.console.dashboard.options import DashboardSettings
from mixrelay.shared.settings import Settings


def remote_user(request: Request) -> str | None:
    """`REMOTE_USER`, which only the host application sets: no header of a request is named so."""
    environ: dict[str, Any] = request.scope["wsgi_environ"]
    name: str | None = environ.get("REMOTE_USER")
    return name


class WsgiApp:
    """Serves the page; each process makes its own at its first request.

    The page runs in a thread, which a server that forks after loading would leave behind.
    """

    def __init__(self, make: Callable[[], ASGIMiddleware]) -> None:
        self._make = make
        self._made: tuple[int, ASGIMiddleware] | None = None

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if self._made is None or self._made[0] != os.getpid():
            self._made = os.getpid(), self._make()
        return self._made[1](environ, start_response)  # type: ignore[arg-type]

    def answer(
        self, environ: WSGIEnvironment, *, under: str, path: str, user: str
    ) -> tuple[int, dict[str, str], bytes]:
        """For a view of the host, which has seen to it that this user may come in.

        Args:
            environ: the request that the view was called for.
            under: the path at which the page is mounted, such as `/ops/mixrelay`.
            path: what was asked for below it.
            user: whom the audit names.

        Returns:
            Status, headers and body.
        """
        told: dict[str, Any] = {"status": 500, "headers": []}

        def start(status: str, headers: list[tuple[str, str]], _error: Any = None) -> Any:
            told.update(status=int(status[:3]), headers=headers)

        place = {"SCRIPT_NAME": under.rstrip("/"), "PATH_INFO": f"/{path.lstrip('/')}"}
        body = b"".join(self(environ | place | {"REMOTE_USER": user}, start))
        return told["status"], dict(told["headers"]), body


def create_wsgi_app(
    settings: Settings | None = None,
    dashboard: DashboardSettings | None = None,
    *,
    secret: str,
) -> WsgiApp:
    """The page as a WSGI application, for whoever the host names in `REMOTE_USER`.

    Args:
        settings: where the queue is; None reads the environment.
        dashboard: how it is shown; None reads the environment. Its passwords are not asked for.
        secret: signs the forms, the same in every process, such as the key of the sessions.

    Raises:
        ConfigurationError: the secret is empty.
    """
    app = create_app(settings, dashboard, identify=remote_user, secret=secret)
    return WsgiApp(lambda: ASGIMiddleware(app))  # type: ignore[arg-type]
