"""Answers that come once nobody waits for them, and locks that were held during a fork."""

import os
import threading

import pytest
from redis import Redis

from mixrelay.producer import RedisSink
from tests.support.processes import status_of


def interrupt(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_a_signal_between_a_push_and_its_answer_leaves_none_for_the_next(
    url: str, store: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server is busy with the first push until after the second was sent."""
    sink = RedisSink(url, "q", timeout=10, connect_timeout=10)
    sink.push(b"a")
    pool = sink.pushing.nodes().pool_for("q")
    connection = pool.get_connection()
    pool.release(connection)
    store.execute_command("CLIENT", "PAUSE", 20_000, "WRITE")
    with monkeypatch.context() as patched:
        patched.setattr(connection, "read_response", interrupt)
        with pytest.raises(KeyboardInterrupt):
            sink.push(b"b")
    unpause = threading.Timer(0.3, store.execute_command, ("CLIENT", "UNPAUSE"))
    unpause.start()
    length = sink.push(b"c", b"d")
    unpause.join(10)
    assert length == store.llen("q")


def test_a_child_does_not_wait_for_a_lock_that_its_parents_pool_held(
    url: str, store: Redis
) -> None:
    """As when another thread is about to take a connection at the moment of the fork."""
    sink = RedisSink(url, "q")
    sink.push(b"a")
    held, go_on = threading.Event(), threading.Event()

    pool = sink.pushing.nodes().pool_for("q")

    def hold() -> None:
        with pool._fork_lock, pool._lock:
            held.set()
            go_on.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(10)
    pid = os.fork()
    if pid == 0:
        os._exit(0 if sink.push(b"b") == 2 else 1)
    go_on.set()
    thread.join(10)
    assert status_of(pid, 10) == 0
