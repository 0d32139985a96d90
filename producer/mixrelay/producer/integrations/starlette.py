"""Starlette: one batch a request, sent after the response.

    app = Starlette(
        routes=[Route("/upgrade", upgrade, methods=["POST"])],
        middleware=[Middleware(MixrelayMiddleware, tracker=Tracker("PROJECT_TOKEN"))],
    )

    def upgrade(request):
        get_tracker(request).track(request.user.id, "Plan Upgraded")

A function that is no coroutine runs in a thread, where a tracker that is not async holds up
nobody. In a coroutine use an ``AsyncTracker``, and await its calls: ``get_async_tracker``.
"""

from __future__ import annotations

from typing import Any, cast

from starlette.requests import HTTPConnection

from mixrelay.producer.async_tracker import AsyncTracker
from mixrelay.producer.integrations.asgi import STATE, MixrelayMiddleware
from mixrelay.producer.tracker import Tracker

__all__ = ["MixrelayMiddleware", "get_async_tracker", "get_tracker"]


def get_tracker(connection: HTTPConnection) -> Tracker[Any]:
    """Return the tracker that the middleware was given.

    Raises:
        RuntimeError: the application has no ``MixrelayMiddleware``.
    """
    tracker = getattr(connection.state, STATE, None)
    if tracker is None:
        raise RuntimeError(
            "This application has no tracker: add MixrelayMiddleware with tracker=…."
        )
    return cast("Tracker[Any]", tracker)


def get_async_tracker(connection: HTTPConnection) -> AsyncTracker:
    """Return the ``AsyncTracker`` that the middleware was given.

    Raises:
        RuntimeError: the application has no ``MixrelayMiddleware``, or one with another tracker.
    """
    tracker = get_tracker(connection)
    if not isinstance(tracker, AsyncTracker):
        raise RuntimeError(  # noqa: TRY004 - as where there is none
            "This application's tracker is no AsyncTracker: give the middleware one."
        )
    return tracker
