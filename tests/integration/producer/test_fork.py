"""Forks at bad moments: nothing is lost, nothing doubled, nobody waits for ever."""

import multiprocessing
import os
import threading

import pytest

from mixrelay.producer import Tracker
from tests.support.patience import joined, patient
from tests.support.processes import status_of
from tests.support.redis_faults import names


@pytest.fixture
def tracker(url, store):
    return Tracker("token", redis_url=url, queue="q", timeout=5, connect_timeout=5)


def forked(run):
    """Run something in a forked child that ends at once, and return whether it was true."""
    pid = os.fork()
    if pid == 0:
        result = 1
        try:
            result = 0 if run() else 1
        finally:
            os._exit(result)
    return status_of(pid) == 0


def test_a_fork_inside_a_batch_leaves_the_batch_to_the_parent(tracker, url):
    with tracker.batch():
        tracker.track("1", "Before")
        assert forked(lambda: tracker.track("1", "Child"))
        assert names(url) == ["Child"]
        tracker.track("1", "After")
    assert names(url) == ["Child", "Before", "After"]


def test_a_child_that_leaves_its_parents_block_sends_nothing_of_it(tracker, url):
    batch = tracker.batch()

    def leave():
        batch.__exit__(None, None, None)
        return tracker.track("1", "Child")

    with batch:
        tracker.track("1", "Parent")
        assert forked(leave)
    assert names(url) == ["Child", "Parent"]


def test_a_child_has_blocks_of_its_own_inside_its_parents(tracker, url):
    def block():
        with tracker.batch():
            tracker.track("1", "Child 1")
            tracker.track("1", "Child 2")
            return names(url) == []

    with tracker.batch():
        tracker.track("1", "Parent")
        assert forked(block)
    assert names(url) == ["Child 1", "Child 2", "Parent"]


def test_a_fork_while_threads_add_to_a_block_and_count_does_not_block_the_child(tracker, url):
    stop = threading.Event()

    def run():
        while not stop.is_set():
            with tracker.batch():
                for _ in range(10):
                    tracker.track("thread", "Thread")

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(20):
            assert forked(lambda: tracker.track("child", "Child"))
    finally:
        stop.set()
        for thread in threads:
            joined(thread)
    assert names(url).count("Child") == 20
    assert names(url).count("Thread") == tracker.counters.queued


def test_a_childs_counters_begin_at_0(tracker):
    tracker.track("1", "Parent")

    def counted():
        return tracker.track("1", "Child") and tracker.counters.queued == 1

    assert forked(counted)
    assert tracker.counters.queued == 1


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_every_way_of_multiprocessing_works(url, store, method):
    context = multiprocessing.get_context(method)
    processes = [context.Process(target=_track, args=(url,)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(patient(30))
    assert names(url) == ["Child"] * 2


def _track(url):
    assert Tracker("token", redis_url=url, queue="q").track("1", "Child") is True
