"""The sandbox as an aiohttp application."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from mixrelay.sandbox import lookups
from mixrelay.sandbox.control import control_routes
from mixrelay.sandbox.endpoints import ENDPOINTS, Endpoint
from mixrelay.sandbox.intake import Intake
from mixrelay.sandbox.options import Options
from mixrelay.sandbox.page import page_route

INTAKE = web.AppKey("intake", Intake)


def create_app(options: Options | None = None, *, intake: Intake | None = None) -> web.Application:
    """The application that answers as Mixpanel does.

    Run it with `auto_decompress=False`, as `Sandbox` and `run` do: it unpacks bodies itself, to
    hold the limit on their size.

    Args:
        options: its settings; the defaults if left out.
        intake: what an earlier application of the same sandbox has gathered, to go on with.
    """
    shared = intake or Intake(options or Options())
    app = web.Application()
    app[INTAKE] = shared
    app.add_routes([page_route(shared), *control_routes(shared)])
    for endpoint in ENDPOINTS:
        handler = _handler(shared, endpoint)
        for path in (endpoint.path, f"{endpoint.path}/"):
            app.add_routes([web.post(path, handler), web.get(path, handler, allow_head=False)])
    app.add_routes(
        [
            web.get(lookups.PATH, shared.take_lookup, allow_head=False),
            web.put(f"{lookups.PATH}/{{id}}", shared.take_lookup),
        ]
    )
    return app


def _handler(
    intake: Intake, endpoint: Endpoint
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handler(request: web.Request) -> web.StreamResponse:
        return await intake.take(request, endpoint)

    return handler
