import asyncio
from typing import Annotated

import fastapi
import httpx
import pytest
from fastapi import BackgroundTasks, Depends, FastAPI

from mixrelay.producer import Tracker
from mixrelay.producer.integrations.fastapi import CurrentTracker, MixrelayMiddleware, get_tracker


def get(app, path, **options):
    async def ask():
        transport = httpx.ASGITransport(app, client=("10.0.0.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
            return await client.get(path, **options)

    return asyncio.run(ask())


def test_the_tracker_is_a_dependency_and_a_request_one_sending(tracker, sink):
    app = FastAPI()
    app.add_middleware(MixrelayMiddleware, tracker=tracker, trusted_proxies=["10.0.0.0/8"])

    def signed_in(tracker: CurrentTracker) -> str:
        tracker.track("ann", "Signed In")
        return "ann"

    @app.get("/view")
    def view(
        user: Annotated[str, Depends(signed_in)], tracker: CurrentTracker, later: BackgroundTasks
    ) -> str:
        later.add_task(tracker.track, user, "Later")
        tracker.track(user, "Viewed")
        return user

    answer = get(app, "/view", headers={"X-Forwarded-For": "203.0.113.7"})
    assert answer.json() == "ann"
    assert sink.names == [["Signed In", "Viewed"], ["Later"]]
    assert sink.ips[:2] == ["203.0.113.7"] * 2


def test_a_coroutine_awaits_an_async_tracker(async_tracker, async_sink):
    app = FastAPI()
    app.add_middleware(MixrelayMiddleware, tracker=async_tracker)

    @app.get("/view")
    async def view(tracker: CurrentTracker) -> bool:
        await tracker.track("ann", "Viewed")
        return await tracker.people.set("ann", {"n": 1}) is True

    assert get(app, "/view").json() is True
    (sending,) = async_sink.sent
    assert len(sending) == 2


def test_http_middleware_of_fastapi_inside_of_it_changes_nothing(tracker, sink):
    app = FastAPI()

    @app.middleware("http")
    async def other(request, call_next):
        response = await call_next(request)
        tracker.track("ann", "Passed")
        return response

    app.add_middleware(MixrelayMiddleware, tracker=tracker)

    @app.get("/view")
    def view(tracker: CurrentTracker) -> None:
        tracker.track("ann", "Viewed")

    assert get(app, "/view").status_code == 200
    assert sink.names == [["Viewed", "Passed"]]


def test_an_application_without_the_middleware_says_what_to_add():
    app = FastAPI()

    @app.get("/view")
    def view(tracker: Annotated[Tracker, Depends(get_tracker)]) -> None:
        """Never runs."""

    with pytest.raises(RuntimeError, match="add MixrelayMiddleware"):
        get(app, "/view")


def test_fastapi_is_the_real_one():
    """A module of the same name stands beside ours."""
    assert "mixrelay" not in fastapi.__file__
