"""Error handlers that track themselves: no endless chain, and nothing unsaid."""

import asyncio
import logging

import pytest

from mixrelay.producer import AsyncTracker, ConfigurationError, ErrorHandler, Tracker
from mixrelay.producer.dispatch import reporting as telling

AWAY = "redis://127.0.0.1:1"


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """As in a process that has logged nothing yet."""
    monkeypatch.setattr(telling, "_of_handlers", telling._OfHandlers())


@pytest.fixture
def logged(caplog):
    caplog.set_level(logging.WARNING, "mixrelay.producer")
    return lambda: [record.getMessage() for record in caplog.records]


def fails(*_):
    raise OSError("the sink is away")


WAYS = {
    "redis away": {"redis_url": AWAY, "spool_dir": "off"},
    "a sink that fails": {"sink": fails},
    "a hook that fails": {"sink": fails, "before_send": fails},
}


@pytest.mark.parametrize("way", WAYS)
def test_a_handler_that_tracks_is_called_once_and_its_own_failure_is_logged(way, logged):
    heard = []

    def handler(error):
        heard.append(error)
        assert tracker.track("ops", "Analytics Failed") is False

    tracker = Tracker("token", error_handler=handler, **WAYS[way])
    assert tracker.track("user", "Ordered") is False
    assert len(heard) == 1
    assert tracker.counters.failed == 2
    (line,) = logged()
    assert line.startswith("A call that an error handler made failed too: ")
    assert tracker.track("user", "Ordered") is False
    assert len(heard) == 2, "the next failure is told as the first was"


def test_a_handler_whose_calls_are_mistakes_is_called_once(logged):
    heard = []

    def handler(error):
        heard.append(error)
        tracker.track("ops", "")

    tracker = Tracker("t", lambda *_: True, handler, on_invalid="log")
    assert tracker.track("user", "") is False
    assert (len(heard), tracker.counters.invalid) == (1, 2)
    assert len(logged()) == 1


def test_handlers_that_track_with_each_others_trackers_come_to_an_end(logged):
    heard = []

    def one(error):
        heard.append("one")
        second.track("ops", "First Failed")

    def two(error):
        heard.append("two")
        first.track("ops", "Second Failed")

    first, second = Tracker("a", fails, one), Tracker("b", fails, two)
    assert first.track("user", "Ordered") is False
    assert heard == ["one", "two"]
    assert len(logged()) == 1


def test_what_a_handler_tracks_is_kept_where_there_is_a_spool(tmp_path, monkeypatch):
    heard = []

    def handler(error):
        heard.append(error)
        assert tracker.track("ops", "Redis Is Away") is True

    tracker = Tracker("t", redis_url=AWAY, spool_dir=tmp_path, error_handler=handler)
    assert tracker.track("user", "Ordered") is True
    assert len(heard) == 1
    assert tracker.counters.spooled == 2
    (file,) = tmp_path.rglob("spool.jsonl")
    lines = file.read_text().split("\n")
    assert ["Ordered" in lines[0], "Redis Is Away" in lines[1]] == [True, True]


def test_a_handler_that_starts_a_task_that_tracks_starts_one(logged):
    heard, tasks = [], []

    def handler(error):
        heard.append(error)
        tasks.append(asyncio.create_task(tracker.track("ops", "Analytics Failed")))

    tracker = AsyncTracker("t", redis_url=AWAY, spool_dir="off", error_handler=handler)

    async def main():
        assert await tracker.track("user", "Ordered") is False
        for task in tasks:
            assert await task is False

    asyncio.run(main())
    assert (len(heard), len(tasks), tracker.counters.failed) == (1, 1, 2)
    assert len(logged()) == 1


def test_a_handler_that_leaves_a_coroutine_is_logged_and_nothing_waits_for_it(logged):
    awaited = AsyncTracker("t", redis_url=AWAY, spool_dir="off")
    tracker = Tracker("t", fails, lambda _: awaited.track("ops", "Analytics Failed"))
    assert tracker.track("user", "Ordered") is False
    (line,) = logged()
    assert line == "The error handler failed on: the sink is away"


def test_a_handler_of_ones_own_kind_must_be_no_coroutine_function():
    class Handler(ErrorHandler):
        async def handle(self, error):
            pass

    with pytest.raises(ConfigurationError, match="error_handler is a coroutine function"):
        Tracker("t", fails, Handler())
