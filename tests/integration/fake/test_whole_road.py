"""``fakeredis[lua]``: from a view to Mixpanel in one process, without any server."""

import asyncio
import socket
import time

import fakeredis
import pytest
import redis

from mixrelay.console.testing import Drain, draining
from mixrelay.producer import ConfigurationError, Tracker
from mixrelay.producer.push.async_sink import AsyncRedisSink
from mixrelay.shared.queue import Queue
from tests.integration.fake.shop import app


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    def refuse(*_):
        raise AssertionError("A server was asked for.")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def buy(user="user-1", item="Tea"):
    answer = app.test_client().post("/orders", data={"user": user, "item": item})
    assert answer.json == {"ok": True}


def test_what_a_view_tracks_reaches_mixpanel(mixrelay_drain):
    buy()
    assert mixrelay_drain.queue.books().queued == 3
    mixpanel = mixrelay_drain()
    event = mixpanel.assert_tracked("Ordered", distinct_id="user-1", Item="Tea", ip="127.0.0.1")
    assert event.properties["$insert_id"]
    mixpanel.assert_updated("user-1", "$add", {"Orders": 1})
    mixpanel.assert_updated(("shop", "books"), "$set", {"Open": True})
    books = mixrelay_drain.queue.books()
    assert (books.totals["received"], books.totals["delivered"], books.waiting) == (3, 3, 0)


def test_several_drains_add_up(mixrelay_drain):
    buy("a")
    mixrelay_drain()
    buy("b")
    assert [one.distinct_id for one in mixrelay_drain().events] == ["a", "b"]


def test_refused_records_die_and_are_replayed(mixrelay_drain):
    mixrelay_drain.refuse = lambda kind, record: "too hot" if kind == "event" else None
    buy()
    mixpanel = mixrelay_drain()
    mixpanel.assert_not_tracked("Ordered")
    (letter,) = mixrelay_drain.dead
    assert (letter.type, letter.reason, letter.error) == ("event", "invalid", "too hot")
    assert b"Tea" in letter.payload

    mixrelay_drain.refuse = None
    assert mixrelay_drain.replay(letter) == 1
    assert not mixrelay_drain.dead
    mixrelay_drain().assert_tracked("Ordered", Item="Tea")
    books = mixrelay_drain.queue.books()
    assert (books.totals["received"], books.totals["delivered"], books.dead) == (3, 3, 0)


def test_a_tuple_of_another_language_dies_where_it_is_none(mixrelay_drain):
    mixrelay_drain.redis.rpush("mixpanel_queue", b"no tuple")
    mixrelay_drain()
    assert [letter.reason for letter in mixrelay_drain.dead] == ["malformed"]


def test_async_trackers_reach_it_too(mixrelay_drain):
    async def track():
        async with AsyncRedisSink("redis://localhost:1/0") as sink:
            return await Tracker("t", sink=sink).track("u", "Awaited")

    assert asyncio.run(track()) is True
    mixrelay_drain().assert_tracked("Awaited", distinct_id="u")


def test_the_applications_own_fakeredis_is_drained():
    client = fakeredis.FakeRedis(server=fakeredis.FakeServer(), decode_responses=True)
    tracker = Tracker("t", redis=client, queue="own", partitions=2)
    for user in range(20):
        tracker.track(f"u{user}", "E")
    drain = Drain(client, "own", partitions=2)
    assert len(drain().events) == 20


def test_a_tracker_with_its_own_fakeredis_keeps_it(mixrelay_drain):
    client = fakeredis.FakeRedis(server=fakeredis.FakeServer())
    Tracker("t", redis=client).track("u", "Elsewhere")
    mixrelay_drain().assert_not_tracked("Elsewhere")
    assert client.llen("mixpanel_queue") == 1


def test_times_of_the_past_and_lists_go_the_way(mixrelay_drain):
    tracker = Tracker("t")
    tracker.import_event("u", "Old", {"time": time.time() - 20 * 86400})
    tracker.people.union("u", {"Tags": ["a", "b"]})
    mixpanel = mixrelay_drain()
    mixpanel.assert_tracked("Old")
    mixpanel.assert_updated("u", "$union", {"Tags": ["a", "b"]})


def test_each_test_has_a_queue_of_its_own():
    with draining() as one:
        buy()
    with draining() as other:
        assert other().messages == []
    assert one.queue.books().queued == 3


def test_a_real_server_is_never_drained():
    with pytest.raises(ConfigurationError, match="Only fakeredis"):
        Drain(redis.Redis())


def test_what_mixpanel_gives_no_answer_to_is_said(mixrelay_drain):
    def out_of_order(*_):
        raise ZeroDivisionError

    mixrelay_drain.refuse = out_of_order
    buy()
    with pytest.raises(ZeroDivisionError):
        mixrelay_drain(2)


def test_every_figure_of_an_empty_queue_is_read():
    queue = Queue(fakeredis.FakeRedis(server=fakeredis.FakeServer()), "empty")
    assert queue.books().waiting == 0
    assert queue.letters.groups() == []
    assert queue.jobs.stalled() == []
