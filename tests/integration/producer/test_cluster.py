"""A queue on a real cluster: slots that move and masters that die while messages are pushed."""

import json
import os
import threading
import time
from collections import Counter

import pytest

from mixrelay.producer import QueueUnavailableError, Tracker
from mixrelay.shared.partitioning import partition_of_key
from tests.support.patience import patient, slowness, within
from tests.support.processes import status_of
from tests.support.redis_cluster import FAILOVER_SECONDS, RedisCluster
from tests.support.redis_faults import until

LISTS = ["q", "q.1", "q.2", "q.3", "q.4", "q.5"]
USERS = [f"user-{number}" for number in range(48)]
THREADS = 8
SHORT = {"connect_timeout": 0.3, "timeout": 0.3}


@pytest.fixture(scope="module")
def quiet():
    """Three masters that nobody kills."""
    with RedisCluster(3) as cluster:
        yield cluster


@pytest.fixture
def cluster(quiet):
    for server in quiet.servers:
        server.client.flushall()
    return quiet


@pytest.fixture
def mortal():
    """Three masters, each with a replica."""
    with RedisCluster(3, replicas=1) as cluster:
        yield cluster


def make(cluster, heard, **options):
    return Tracker(
        "token", None, heard.append, cluster.url, "q", partitions=len(LISTS), **SHORT | options
    )


def list_of(user):
    return LISTS[partition_of_key(user, len(LISTS))]


def numbers(cluster):
    """Return each user's numbers, in the order of its list."""
    found = {user: [] for user in USERS}
    for name in LISTS:
        for payload in cluster.master_of(name).client.lrange(name, 0, -1):
            record = json.loads(json.loads(payload)[1])["data"]
            if "$add" in record:
                user = record["$distinct_id"]
                assert list_of(user) == name
                found[user].append(record["$add"]["n"])
    return found


class Pushing:
    """Threads that increment, each its own users, until told to stop."""

    def __init__(self, tracker):
        self.tracker = tracker
        self.slowest = 0.0
        self.pushed = Counter()
        """Calls by user; each call's number is how many were before."""
        self.unsure = {user: set() for user in USERS}
        """Numbers whose call was False."""
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(USERS[index::THREADS],))
            for index in range(THREADS)
        ]

    def _run(self, users):
        while not self._over.is_set():
            for user in users:
                began = time.monotonic()
                if not self.tracker.people.increment(user, {"n": self.pushed[user]}):
                    self.unsure[user].add(self.pushed[user])
                self.slowest = max(self.slowest, time.monotonic() - began)
                self.pushed[user] += 1

    def all_numbers(self):
        assert not any(self.unsure.values())
        return {user: [*range(self.pushed[user])] for user in USERS}

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        until(lambda: len(self.pushed) == len(USERS))
        return self

    def __exit__(self, *_):
        self._over.set()
        for thread in self._threads:
            thread.join(patient(30))


def lengths(cluster, lists):
    return {name: cluster.master_of(name).client.llen(name) for name in lists}


def waits(spool_dir):
    """Return the files of the spool that hold lines."""
    return list(spool_dir.glob("*/*.jsonl"))


def kept_users(spool_dir):
    lines = b"".join(path.read_bytes() for path in waits(spool_dir)).splitlines()
    return {json.loads(json.loads(line)[1])["data"]["$distinct_id"] for line in lines}


def emptied(tracker, spool_dir):
    """Whether no line waits in the spool any more; each call moves some."""
    assert tracker.track(None, "Again") is True
    return not waits(spool_dir)


def test_each_list_lies_where_its_slot_is(cluster, heard):
    tracker = make(cluster, heard)
    with tracker.batch():
        for user in USERS:
            tracker.people.increment(user, {"n": 0})
    assert numbers(cluster) == {user: [0] for user in USERS}
    assert tracker.counters.queued == len(USERS)
    assert sum(server.client.dbsize() > 0 for server in cluster.servers) == 3
    assert not heard


def test_making_a_tracker_opens_nothing(cluster, heard):
    before = [
        server.client.info("stats")["total_connections_received"] for server in cluster.servers
    ]
    make(cluster, heard)
    after = [
        server.client.info("stats")["total_connections_received"] for server in cluster.servers
    ]
    assert after == before


def test_while_slots_move_every_increment_arrives_once_and_in_order(cluster, heard):
    tracker = make(cluster, heard)
    with Pushing(tracker) as pushing:
        for name in LISTS[:3]:
            slot = cluster.slot_of(name)
            cluster.move_slot(slot, cluster.other_than(cluster.at_slot(slot)))
    assert numbers(cluster) == pushing.all_numbers()
    assert tracker.counters.queued == pushing.pushed.total()
    assert not heard


def test_with_a_bound_what_is_refused_while_a_slot_moves_is_kept_and_arrives(
    cluster, heard, spool_dir
):
    tracker = make(cluster, heard, max_queue=1_000_000)
    with Pushing(tracker) as pushing:
        slot = cluster.slot_of("q")
        target = cluster.other_than(cluster.at_slot(slot))
        cluster.begin_to_move(slot, target)
        while cluster.move_keys(slot, target):
            pass
        until(lambda: tracker.counters.spooled)
        cluster.end_move(slot, target)
    until(lambda: emptied(tracker, spool_dir))
    assert numbers(cluster) == pushing.all_numbers()
    assert "That list moves to another node" in str(heard[0])


def test_a_master_that_dies_stops_its_own_lists_alone_and_nothing_is_lost(mortal, heard, spool_dir):
    tracker = make(mortal, heard, durability="replica", on_ambiguous="drop")
    dying = mortal.master_of("q")
    theirs = {name for name in LISTS if mortal.master_of(name) is dying}
    others = [name for name in LISTS if name not in theirs]
    with Pushing(tracker) as pushing:
        dying.kill()
        until(lambda: tracker.counters.spooled)
        before = lengths(mortal, others)
        until(lambda: all(lengths(mortal, others)[name] > before[name] + 20 for name in others))
        kept = kept_users(spool_dir)
        # Started before that, it would be the master still, and empty.
        until(lambda: mortal.agrees() and mortal.master_of("q") is not dying, FAILOVER_SECONDS)
        mortal.restart(dying)
        until(lambda: not waits(spool_dir), 30)
    until(lambda: emptied(tracker, spool_dir))
    assert kept
    assert {list_of(user) for user in kept} <= theirs
    for user, found in numbers(mortal).items():
        assert found == sorted(set(found)), "twice, or out of order"
        missing = {*range(pushing.pushed[user])}.difference(found)
        assert missing <= pushing.unsure[user], "answered, and lost"
    assert sum(map(len, pushing.unsure.values())) == tracker.counters.failed
    assert pushing.slowest < 2.5 * slowness()


def test_a_node_that_hangs_costs_its_own_lists_a_few_timeouts(cluster, heard, spool_dir):
    tracker = make(cluster, heard)
    for user in USERS:
        assert tracker.people.increment(user, {"n": 0}) is True
    hanging = cluster.master_of("q")
    theirs = {name for name in LISTS if cluster.master_of(name) is hanging}
    with hanging.hung():
        slow = 0
        for user in USERS * 4:
            began = time.monotonic()
            assert tracker.people.increment(user, {"n": 1}) is True
            slow += time.monotonic() - began >= SHORT["timeout"]
        # 64 of the calls are for lists of the node that hangs.
        assert slow < 16
        assert {list_of(user) for user in kept_users(spool_dir)} == theirs
        kept = sum(list_of(user) in theirs for user in USERS * 4)
        assert tracker.counters.as_dict() | {"unanswered": 0} == {
            "queued": len(USERS) * 5 - kept,
            "spooled": kept,
            "dropped": 0,
            "failed": 0,
            "refused": 0,
            "drained": 0,
            "unanswered": 0,
            "invalid": 0,
            "ignored": 0,
        }
        assert len(heard) == 1
    until(lambda: emptied(tracker, spool_dir))


def test_a_child_has_connections_of_its_own(cluster, heard):
    tracker = make(cluster, heard)
    for user in USERS:
        assert tracker.people.increment(user, {"n": 0}) is True
    pid = os.fork()
    if pid == 0:
        done = [tracker.people.increment(user, {"n": 2}) is True for user in USERS]
        os._exit(0 if all(done) and tracker.counters.queued == len(USERS) else 1)
    for user in USERS:
        assert tracker.people.increment(user, {"n": 1}) is True
    assert status_of(pid) == 0
    assert {user: sorted(found) for user, found in numbers(cluster).items()} == {
        user: [0, 1, 2] for user in USERS
    }


def test_a_user_needs_no_more_than_the_documented_rights(heard):
    with RedisCluster(3) as cluster:
        rights = "~q ~q.* resetchannels -@all +rpush +cluster|slots +asking"
        for server in cluster.servers:
            server.client.execute_command("ACL", "SETUSER", "web", "on", ">secret", *rights.split())
        url = cluster.url.replace("://", "://web:secret@")
        tracker = Tracker("token", None, heard.append, url, "q", partitions=len(LISTS))
        with Pushing(tracker) as pushing:
            slot = cluster.slot_of("q")
            cluster.move_slot(slot, cluster.other_than(cluster.at_slot(slot)))
        assert numbers(cluster) == pushing.all_numbers()
        assert not heard
        denied = sum(len(server.client.acl_log()) for server in cluster.servers)
        assert denied == 0


def test_a_cluster_named_as_one_server_is_said(cluster, heard):
    url = cluster.other_than(cluster.master_of("q")).url
    assert Tracker("token", None, heard.append, url, "q", spool_dir="off").track("1", "A") is False
    assert "redis+cluster://" in str(heard[0])


def test_a_push_that_is_sent_on_to_a_node_that_is_away_has_not_gone_out(heard):
    with RedisCluster(3) as cluster:
        tracker = make(cluster, heard)
        user, other = (next(u for u in USERS if list_of(u) == name) for name in ("q", "q.3"))
        assert tracker.people.increment(other, {"n": 0}) is True  # it knows the nodes now
        target = cluster.other_than(cluster.master_of("q"))
        cluster.begin_to_move(cluster.slot_of("q"), target)
        target.kill()
        assert tracker.people.increment(user, {"n": 0}) is True
    assert (tracker.counters.spooled, tracker.counters.unanswered) == (1, 0)
    assert "Nothing was sent" in str(heard[0])


def test_nodes_that_are_all_away_are_an_outage(heard, spool_dir):
    with RedisCluster(3) as cluster:
        tracker = make(cluster, heard)
        assert tracker.people.increment(USERS[0], {"n": 0}) is True
        for server in cluster.servers:
            server.kill()
        with within(3):
            for number in range(1, 20):
                assert tracker.people.increment(USERS[0], {"n": number}) is True
        assert isinstance(heard[0], QueueUnavailableError)
        assert tracker.counters.spooled == 19
