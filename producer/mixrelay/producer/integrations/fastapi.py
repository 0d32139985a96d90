"""FastAPI: one batch a request, sent after the response, and the tracker as a dependency.

    app = FastAPI()
    app.add_middleware(MixrelayMiddleware, tracker=Tracker("PROJECT_TOKEN"))

    @app.post("/upgrade/{user}")
    def upgrade(user: str, tracker: CurrentTracker) -> None:
        tracker.track(user, "Plan Upgraded")

In an ``async def`` use an ``AsyncTracker`` and ``CurrentAsyncTracker``, and await its calls.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from fastapi import Depends

from mixrelay.producer.async_tracker import AsyncTracker
from mixrelay.producer.integrations.starlette import (
    MixrelayMiddleware,
    get_async_tracker,
    get_tracker,
)
from mixrelay.producer.tracker import Tracker

__all__ = [
    "CurrentAsyncTracker",
    "CurrentTracker",
    "MixrelayMiddleware",
    "get_async_tracker",
    "get_tracker",
]

CurrentTracker: TypeAlias = Annotated[Tracker[Any], Depends(get_tracker)]
"""The tracker that the middleware was given."""

CurrentAsyncTracker: TypeAlias = Annotated[AsyncTracker, Depends(get_async_tracker)]
"""The same where it is an ``AsyncTracker``."""
