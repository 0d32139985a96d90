"""How many connections a process has, and what becomes of calls that find none free."""

import asyncio
import os
import threading
import time

from mixrelay.producer import AsyncTracker, Tracker
from tests.support.faultproxy import FaultProxy, delay, has
from tests.support.patience import joined, slowness
from tests.support.processes import status_of


def clients(store):
    return sum(1 for one in store.client_list() if one["cmd"] == "rpush")


def track_at_once(tracker, number):
    answers = []
    started = threading.Barrier(number)

    def call():
        started.wait(60)
        answers.append(tracker.track("1", "E"))

    threads = [threading.Thread(target=call) for _ in range(number)]
    for thread in threads:
        thread.start()
    joined(*threads)
    return answers


def test_threads_share_as_many_connections_as_are_allowed(url, store):
    tracker = Tracker("token", redis_url=url, queue="q", connections=3, connect_timeout=30)
    assert track_at_once(tracker, 60) == [True] * 60
    assert store.llen("q") == 60
    assert 1 <= clients(store) <= 3


def test_tasks_share_as_many_connections_as_are_allowed(url, store):
    tracker = AsyncTracker(
        "token", redis_url=url, queue="q", connections=3, connect_timeout=30, timeout=30
    )
    seen = []

    async def main():
        assert set(await asyncio.gather(*(tracker.track("1", "E") for _ in range(60)))) == {True}
        seen.append(clients(store))

    asyncio.run(main())
    assert store.llen("q") == 60
    assert 1 <= seen[0] <= 3


def test_a_call_that_finds_none_free_keeps_its_message_and_says_why(url, store, heard):
    with FaultProxy(url, lambda one: delay(2) if has(b"RPUSH")(one) else None) as proxy:
        tracker = Tracker(
            "token",
            redis_url=proxy.url,
            queue="q",
            error_handler=heard.append,
            connections=1,
            connect_timeout=0.2,
            timeout=20,
        )
        assert track_at_once(tracker, 3) == [True] * 3
    assert tracker.counters.queued == 1
    assert tracker.counters.spooled == 2
    assert tracker.counters.unanswered == 0
    assert "MIXRELAY_PUSH_CONNECTIONS" in str(heard[0])


def test_a_forked_process_has_its_own(url, store):
    tracker = Tracker("token", redis_url=url, queue="q", connections=1, connect_timeout=30)
    turn = tracker._outlet.sink.pushing._turns.get()  # a thread of the parent uses the only one
    pid = os.fork()
    if pid == 0:
        os._exit(0 if tracker.track("1", "Child") and tracker.counters.queued == 1 else 1)
    assert status_of(pid) == 0
    tracker._outlet.sink.pushing._turns.put(turn)
    assert tracker.track("1", "Parent") is True
    assert store.llen("q") == 2


def test_threads_beyond_the_connections_to_a_hung_redis_wait_no_second_time(url, store, heard):
    """Who waited for a turn, and then for a server that is hung, would wait twice."""
    tracker = Tracker("token", redis_url=url, queue="q", error_handler=heard.append, connections=2)
    assert tracker.track("1", "E") is True
    longest = []

    def call():
        began = time.monotonic()
        assert tracker.track("1", "E") is True
        longest.append(time.monotonic() - began)

    store.execute_command("CLIENT", "PAUSE", 4_000, "WRITE")
    threads = [threading.Thread(target=call) for _ in range(20)]
    for thread in threads:
        thread.start()
    joined(*threads)
    store.execute_command("CLIENT", "UNPAUSE")
    assert max(longest) < 1.1 * slowness(), longest
    assert tracker.counters.spooled == 20
