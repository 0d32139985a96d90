"""``tracker.flush()`` and ``tracker.close()``; what ``help()`` shows of a tracker."""

import asyncio
import inspect
import pydoc

import fakeredis
import pytest

from mixrelay.producer import QueueOptions, RedisSink, Tracker
from mixrelay.producer.push.async_sink import AsyncRedisSink
from mixrelay.producer.testing import MemorySink

LIST = "mixpanel_queue"


@pytest.fixture
def fake():
    return fakeredis.FakeRedis(server=fakeredis.FakeServer())


def test_flush_sends_what_the_batch_holds_and_the_batch_goes_on():
    sink = MemorySink()
    tracker = Tracker("t", sink=sink)
    with tracker.batch():
        tracker.track("u", "One")
        assert sink.messages == []
        assert tracker.flush() is True
        assert [event.name for event in sink.events] == ["One"]
        assert tracker.flush() is True
        tracker.track("u", "Two")
    assert [event.name for event in sink.events] == ["One", "Two"]
    assert tracker.flush() is True


def test_flush_is_false_where_something_failed():
    def fails(*_):
        raise OSError

    tracker = Tracker("t", fails, error_handler=lambda _: None)
    with tracker.batch():
        tracker.track("u", "One")
        assert tracker.flush() is False


def test_close_sends_the_batch_and_closes_connections(fake):
    tracker = Tracker("t", redis=fake)
    with tracker.batch():
        tracker.track("u", "One")
        assert tracker.close() is True
        assert fake.llen(LIST) == 1
    assert tracker.track("u", "Opens again")
    assert fake.llen(LIST) == 2


def test_close_needs_no_sink_that_closes():
    assert Tracker("t", sink=lambda *_: True).close() is True


def test_both_are_awaited_where_calls_are(fake):
    async def track():
        tracker = Tracker("t", sink=AsyncRedisSink(redis=fake))
        async with tracker.batch():
            await tracker.track("u", "One")
            assert await tracker.flush() is True
            assert fake.llen(LIST) == 1
            await tracker.track("u", "Two")
            assert await tracker.close() is True
        assert await tracker.flush() is True

    asyncio.run(track())
    assert fake.llen(LIST) == 2


@pytest.mark.parametrize("kind", [Tracker, RedisSink, AsyncRedisSink])
def test_help_lists_every_option_with_its_words(kind):
    parameters = inspect.signature(kind).parameters
    assert QueueOptions.__annotations__.keys() <= parameters.keys()
    assert "options" not in parameters
    assert parameters["timeout"].default == 0.5
    shown = pydoc.plain(pydoc.render_doc(kind))
    words = "The time limit for Redis's reply to a push."
    assert f"timeout: {words} Else ``MIXRELAY_PUSH_TIMEOUT``" in shown
    assert "**options" not in shown
