"""Trackers that are made for each request leave nothing behind."""

import copy
import gc
import os
import tracemalloc

from mixrelay.producer import Tracker


def use():
    tracker = Tracker("token", redis_url="redis://127.0.0.1:1", spool_dir="off")
    tracker.with_properties({"a": 1})
    copy.deepcopy(tracker)


def test_no_memory_stays():
    for _ in range(50):
        use()
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(200):
            use()
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    # 798 each with a fork handler of its own.
    assert grown < 200 * 100, f"{grown / 200} bytes each"


def test_no_fork_handler_is_registered_which_could_never_be_taken_back(monkeypatch):
    registered = []
    monkeypatch.setattr(os, "register_at_fork", lambda **handlers: registered.append(handlers))
    use()
    assert registered == []
