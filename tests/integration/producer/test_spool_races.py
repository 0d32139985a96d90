"""Threads and processes that meet at one spool, and calls that come while it is emptied."""

import os
import threading
import time
from pathlib import Path

import pytest
from billiard.exceptions import SoftTimeLimitExceeded
from redis import Redis

from mixrelay.producer import RedisSink
from mixrelay.producer.dispatch.attempt import Attempt
from mixrelay.producer.dispatch.counters import Counters
from mixrelay.producer.errors import QueueUnavailableError
from mixrelay.producer.spool.drain import Drain, Left
from mixrelay.producer.spool.spool import Spool
from mixrelay.shared.connection import connect
from mixrelay.shared.queue import Queue
from tests.support.patience import joined
from tests.support.redis_faults import until


def test_a_line_never_lands_in_a_file_that_became_a_segment_meanwhile(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", 1_000, fsync=False)
    spool.append([b"a"])
    file = spool._open_locked()
    try:
        waiting = threading.Thread(target=spool.append, args=([b"b"],))
        waiting.start()
        time.sleep(0.1)  # it has opened the file by now, and waits for its lock
        spool._close_segment()
    finally:
        os.close(file)
    waiting.join(5)
    [segment] = spool.segments()
    assert segment.read_bytes().lstrip(b" \t") == b"a\n"
    assert (tmp_path / "spool" / "spool.jsonl").read_bytes().lstrip(b" \t") == b"b\n"


def test_a_segment_that_is_emptied_while_a_line_is_appended_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path / "spool", 1_000, fsync=False)
    listed = spool.folder / "spool-00000001.jsonl"
    with monkeypatch.context() as patched:
        patched.setattr(spool, "segments", lambda: [listed])
        spool.append([b"a"])
    assert (tmp_path / "spool" / "spool.jsonl").read_bytes().lstrip(b" \t") == b"a\n"


def test_while_one_moves_lines_another_leaves_them_alone(
    store: Redis, url: str, tmp_path: Path
) -> None:
    spool = Spool(tmp_path / "spool", 1_000, fsync=False)
    spool.append([b'["event","{}"]'])
    with connect(url) as client:
        drain = Drain(spool, Queue(client, "q").loads, Counters(), None)
        with spool.drain_lock(0.0):
            assert drain.step() is Left.BUSY
            assert store.llen("q") == 0
        assert drain.step() is Left.NOTHING
    assert store.llen("q") == 1


def test_no_new_call_overtakes_what_still_waits_in_the_spool(store: Redis, url: str) -> None:
    """More waits than one call moves, so that some calls come between the slices."""
    sink = RedisSink(url, "q")
    kept = [b'["event","%d"]' % number + b" " * 1_000 for number in range(600)]
    sink.guard.rescue(sink.lists.first, kept, QueueUnavailableError("away"), Attempt())
    made = 0
    while store.llen("q") < len(kept) + made or not made:
        assert sink("event", str(600 + made)) is True
        made += 1
        assert made < 10_000
    found = [int(one.split(b'"')[3]) for one in store.lrange("q", 0, -1)]
    assert found == sorted(found)


def test_threads_that_never_rest_empty_the_spool_all_the_same(store: Redis, url: str) -> None:
    """A step that is under way is waited for: else they fill it as fast as it is emptied."""
    sink = RedisSink(url, "q")
    over = threading.Event()

    def call() -> None:
        while not over.is_set():
            sink("event", "{}")

    def is_past_the_spool() -> bool:
        spooled, queued = sink.counters.spooled, sink.counters.queued
        until(lambda: sink.counters.queued > queued + 200 or sink.counters.spooled > spooled)
        return sink.counters.spooled == spooled

    sink.guard.rescue(
        sink.lists.first, [b'["event","{}"]'] * 600, QueueUnavailableError("away"), Attempt()
    )
    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    try:
        until(is_past_the_spool)
    finally:
        over.set()
        for thread in threads:
            joined(thread)
    counters = sink.counters
    assert store.llen("q") == counters.queued + counters.drained
    assert counters.drained == counters.spooled


def test_a_line_in_a_new_file_with_an_ended_ones_number_is_waited_for(
    store: Redis, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is appended by another thread while this one looks which files are there."""
    sink = RedisSink(url, "q")
    guard, to = sink.guard, sink.lists.first
    guard.hold(to, [b"a"], Attempt())
    spool = guard._spool()
    assert spool is not None

    def none_and_then_one() -> set[int]:
        guard.hold(to, [b"b"], Attempt())
        return set()

    with monkeypatch.context() as patched:
        patched.setattr(spool, "inodes", none_and_then_one)
        guard._look(spool)
    assert to.own
    assert not guard.ready(to, None)


@pytest.mark.parametrize("ended_by", ["another process", "an interrupted removal"])
def test_a_new_file_with_an_ended_ones_number_is_read_from_its_beginning(
    store: Redis, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ended_by: str
) -> None:
    """The system gives the number of a file that is gone to the next one."""
    spool = Spool(tmp_path / "spool", 10_000, fsync=False)
    lines = [b'["event","%d"]' % number for number in range(18)]
    spool.append(lines[:6])
    with connect(url) as client:
        one, another = (Drain(spool, Queue(client, "q").loads, Counters(), 20) for _ in range(2))
        assert one.step() is Left.MORE
        [segment] = spool.segments()
        os.link(segment, tmp_path / "same number")
        if ended_by == "another process":
            empty(another)
        else:
            with monkeypatch.context() as patched:
                patched.setattr(Spool, "remove", removed_and_interrupted)
                with pytest.raises(SoftTimeLimitExceeded):
                    empty(one)
        spool.append(lines[6:])
        current = spool.folder / "spool.jsonl"
        (tmp_path / "same number").write_bytes(current.read_bytes())
        (tmp_path / "same number").rename(current)
        empty(one)
    assert store.lrange("q", 0, -1) == lines


def removed_and_interrupted(_: Spool, segment: Path) -> None:
    segment.unlink()
    raise SoftTimeLimitExceeded


def empty(drain: Drain) -> None:
    while drain.step() is not Left.NOTHING:
        pass
