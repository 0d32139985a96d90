"""A Celery task's events know the request that sent the task, and nothing of the one before."""

from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery, chain
from celery.contrib.testing.worker import start_worker
from celery.signals import setup_logging

from mixrelay.producer import RequestContext, Tracker, current_request, request_context
from mixrelay.producer.integrations import celery as integration
from mixrelay.producer.testing import MemorySink
from tests.support.fleet import wait_until

DEVICE = "0b3ee5ac-1f0a-4e6d-9a53-0d7a8a3b3c11"
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/131.0.0.0 Safari/537.36"
)


def environ(**headers: str) -> dict[str, str]:
    sent = {f"HTTP_{name.upper()}": value for name, value in headers.items()}
    return {"REQUEST_METHOD": "POST", "REMOTE_ADDR": "8.8.8.8", "HTTP_USER_AGENT": CHROME, **sent}


def _leave_logging(**_: Any) -> None:
    """Celery leaves logging to whoever listens."""


@pytest.fixture
def sink(app: Any) -> MemorySink:
    app.sink.clear()
    return app.sink


@pytest.fixture(scope="module")
def app() -> Iterator[Any]:
    """A worker in a thread of its own, with four tasks."""
    sink = MemorySink()
    tracker = Tracker("token", sink=sink)
    app = Celery("shop", broker="memory://", set_as_current=False)
    app.conf.update(
        broker_connection_retry_on_startup=True,
        broker_transport_options={"polling_interval": 0.02},
        task_ignore_result=True,
    )

    @app.task(name="pay", shared=False)
    def pay(*_: Any) -> None:
        tracker.track(event="Paid", properties={"known": current_request() is not None})

    @app.task(name="order", shared=False)
    def order() -> None:
        tracker.track(event="Ordered")
        pay.delay()

    @app.task(name="again", bind=True, max_retries=1, shared=False)
    def again(self: Any) -> None:
        tracker.track(event="Tried")
        if self.request.retries == 0:
            raise self.retry(countdown=0)

    @app.task(name="alone", shared=False)
    def alone() -> None:
        tracker.track(None, "Alone", {"known": current_request() is not None})

    integration.connect_requests()
    integration.connect_requests()
    app.tracker, app.sink = tracker, sink
    # A worker with nobody to set up logging does so itself, for all tests that follow.
    setup_logging.connect(_leave_logging)
    try:
        with start_worker(app, perform_ping_check=False, pool="solo", shutdown_timeout=60):
            yield app
    finally:
        setup_logging.disconnect(_leave_logging)
    for signal in ("before_task_publish", "task_prerun", "task_postrun"):
        for name in ("write", "begin", "end"):
            getattr(integration, signal).disconnect(dispatch_uid=f"mixrelay_{name}")


def test_tasks_know_the_request_that_sent_them(app: Any, sink: MemorySink) -> None:
    cookie = f"mixrelay_device={DEVICE}"
    context = RequestContext(user=lambda _: "17")
    request = environ(cookie=cookie, x_request_id="req-1")
    with request_context(request, app.tracker, context):
        app.tasks["order"].delay()
        app.tasks["again"].delay()
        chain(app.tasks["pay"].si(), app.tasks["pay"].si()).delay()
    wait_until(lambda: len(sink.events) == 6, 60, "six events")
    assert sorted(one.name for one in sink.events) == [
        *("Ordered", "Paid", "Paid", "Paid", "Tried", "Tried"),
    ]
    for one in sink.events:
        assert one.distinct_id == "17"
        assert one.properties["$device_id"] == DEVICE
        assert one.properties["request_id"] == "req-1"
        assert (one.properties["$browser"], one.properties["ip"]) == ("Chrome", "8.8.8.8")


def test_tasks_of_a_visitor_who_refused_track_nothing_of_theirs(app: Any, sink: MemorySink) -> None:
    before = app.tracker.counters.ignored
    refused = RequestContext(user=lambda _: "17", consent=lambda _: False)
    with request_context(environ(cookie=f"mixrelay_device={DEVICE}"), app.tracker, refused):
        app.tasks["order"].delay()  # which sends a task of its own
        app.tasks["again"].delay()  # and which is tried twice
    wait_until(lambda: app.tracker.counters.ignored == before + 4, 60, "four refusals")
    assert sink.events == []


def test_a_task_without_a_request_knows_none_after_one_that_had_one(
    app: Any, sink: MemorySink
) -> None:
    with request_context(environ(), app.tracker, RequestContext(user=lambda _: "17")):
        app.tasks["pay"].delay()
    wait_until(lambda: len(sink.events) == 1, 60, "the first")
    before = app.tracker.counters.ignored
    ignored = environ(user_agent="Googlebot/2.1")
    with request_context(ignored, app.tracker):
        app.tasks["pay"].delay()
    wait_until(lambda: app.tracker.counters.ignored == before + 1, 60, "the bot's")

    app.tasks["alone"].delay()
    wait_until(lambda: len(sink.events) == 2, 60, "the last")
    assert [one.properties["known"] for one in sink.events] == [True, False]
    assert "$browser" not in sink.events[1].properties
