"""An application's endings, such as a time limit, come at any moment of a call and pass through it.

The message is in the queue or in the spool by then. MIXRELAY_INTERRUPTED_CALLS=5000 makes a long
run of it, MIXRELAY_INTERRUPTED_SEED=… repeats one.
"""

import asyncio
import json
import os
import random
import signal
import socket
import sys
import threading
from contextlib import contextmanager

import pytest
from billiard.exceptions import SoftTimeLimitExceeded
from greenlet import GreenletExit

from mixrelay.producer import (
    AsyncTracker,
    ConnectionFailedError,
    Consumer,
    Credentials,
    DeliveryError,
    Tracker,
)
from mixrelay.producer.lookup import replace_lookup_table
from mixrelay.producer.push.async_connection import AsyncPushing
from mixrelay.producer.push.async_sink import AsyncRedisSink
from mixrelay.producer.push.connection import Pushing
from mixrelay.producer.push.targets import Lists
from tests.support.patience import joined
from tests.support.processes import finished

CALLS = os.environ.get("MIXRELAY_INTERRUPTED_CALLS", "150")


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "manner",
    [
        "sync",
        "batch",
        "async",
        pytest.param("awaited", marks=pytest.mark.soak),
        pytest.param("awaited-batch", marks=pytest.mark.soak),
    ],
)
def test_endings_pass_through_and_their_messages_are_kept(url, store, tmp_path, manner):
    seed = os.environ.get("MIXRELAY_INTERRUPTED_SEED") or str(random.randrange(10**9))
    command = [sys.executable, "-m", "tests.support.interrupting"]
    done = finished(
        [*command, url, str(tmp_path), CALLS, seed, manner],
        capture_output=True,
        text=True,
        timeout=580,
    )
    print(f"seed {seed}:", done.stdout)
    assert done.returncode == 0, f"seed {seed}: {done.stderr[-3000:]}"
    found = json.loads(done.stdout)
    assert found["interrupted"] > 0
    # A TimeoutError is an OSError, which redis-py ignores where it closes a connection.
    assert [one for one in found["swallowed"] if not one.startswith("TimeoutError")] == []
    for what in ("strange", "confused", "lost", "unknown"):
        assert found[what] == [], f"seed {seed}: {what}"
    assert found["counters"]["failed"] == 0


@contextmanager
def ringing(kind, seconds=0.05):
    """Raise it in the midst of what follows, by a signal that no test plugin uses."""

    def ring(*_):
        raise kind("rings")

    former = signal.signal(signal.SIGVTALRM, ring)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, former)


def busy(*_):
    while True:
        pass


KINDS = [SoftTimeLimitExceeded, TimeoutError, ValueError, SystemExit, GreenletExit]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("where", ["sink", "hook", "default", "handler"])
def test_an_ending_passes_through_whatever_the_caller_gave(kind, where):
    def refuse(*_):
        raise DeliveryError("no")

    given = {
        "sink": {"sink": busy},
        "hook": {"sink": print, "before_send": busy},
        "default": {"sink": print, "default": busy},
        "handler": {"sink": refuse, "error_handler": busy},
    }
    tracker = Tracker("token", **given[where])
    with pytest.raises(kind, match="rings"), ringing(kind):
        tracker.track("1", "Event", {"a": object() if where == "default" else 1})


def test_an_ending_that_a_sink_wraps_goes_on_and_the_failure_is_told():
    told = []

    def sink(*_):
        try:
            busy()
        except TimeoutError as error:
            raise DeliveryError("no answer") from error

    tracker = Tracker("token", sink, error_handler=told.append)
    with pytest.raises(TimeoutError, match="rings"), ringing(TimeoutError):
        tracker.track("1", "Event")
    assert [str(one) for one in told] == ["no answer"]
    assert tracker.counters.failed == 1


def test_an_ending_that_a_codec_replaces_goes_on_and_its_message_is_kept(tmp_path, monkeypatch):
    """As that of host names does, by which a connection finds its server."""

    def push(*_):
        try:
            busy()
        except ValueError as error:
            made = ValueError(f"encoding with 'idna' codec failed ({error})")
            made.__cause__ = error
        raise made

    told = []
    tracker = Tracker("token", spool_dir=tmp_path, error_handler=told.append)
    monkeypatch.setattr(Pushing, "push", push)
    with pytest.raises(ValueError, match=r"^rings$"), ringing(ValueError):
        tracker.track("1", "Kept")
    assert told == []
    assert tracker.counters.spooled == 1


@pytest.mark.parametrize("kind", [AsyncTracker, Tracker])
def test_a_fault_of_ours_is_told_and_loses_no_message(tmp_path, monkeypatch, kind):
    def push(*_):
        raise RuntimeError("a fault")

    told = []
    tracker = kind("token", spool_dir=tmp_path, error_handler=told.append)
    monkeypatch.setattr(Pushing, "push", push)
    monkeypatch.setattr(AsyncPushing, "push", push)
    done = tracker.track("1", "Kept")
    if kind is AsyncTracker:
        done = asyncio.run(finish(done))
    assert done is True
    assert [str(one) for one in told] == ["a fault"]
    assert tracker.counters.spooled == 1


def test_what_had_no_turn_is_kept_where_an_ending_comes_at_another_list(tmp_path, monkeypatch):
    async def push(*_):
        raise SoftTimeLimitExceeded

    monkeypatch.setattr(AsyncPushing, "push", push)
    sink = AsyncRedisSink(partitions=3, spool_dir=tmp_path)
    messages = [("profile_update", json.dumps({"$distinct_id": f"u{n}"})) for n in range(30)]
    with pytest.raises(SoftTimeLimitExceeded):
        asyncio.run(sink.send_all(messages))
    assert sink.counters.spooled == 30


# Of a task that was not made, since the ending came instead.
@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning", "ignore::RuntimeWarning"
)
@pytest.mark.parametrize("where", ["lists", "task", "shield", "register"])
def test_a_batch_that_is_ended_around_its_delivery_is_kept_once(
    url, store, tmp_path, monkeypatch, where
):
    owner, name = {
        "lists": (Lists, "of_messages"),
        "task": (asyncio, "create_task"),
        "shield": (asyncio, "shield"),
        "register": (AsyncRedisSink, "_see_to_its_end"),
    }[where]
    inner, rung = getattr(owner, name), []

    def ring(*args):
        if not rung and "send_all" in names_of(sys._getframe(1)):
            rung.append(1)
            raise SoftTimeLimitExceeded
        return inner(*args)

    async def main():
        with pytest.raises(SoftTimeLimitExceeded):
            await sink.send_all(messages)
        await all_others()

    sink = AsyncRedisSink(url, "q", partitions=3, spool_dir=tmp_path)
    messages = [("profile_update", json.dumps({"$distinct_id": f"u{n}"})) for n in range(30)]
    monkeypatch.setattr(owner, name, ring)
    asyncio.run(main())
    assert rung
    found = sink.counters.as_dict()
    assert found["spooled"] + found["queued"] == 30
    lines = [one for file in tmp_path.rglob("*.jsonl") for one in file.read_bytes().splitlines()]
    assert len(lines) + sum(store.llen(name) for name in store.keys("q*")) == 30


def names_of(frame):
    """Return the names of the functions that a frame is in."""
    names = []
    while frame is not None:
        names.append(frame.f_code.co_name)
        frame = frame.f_back
    return names


def test_what_had_no_turn_is_kept_where_nobody_waits_for_the_ending(tmp_path, monkeypatch):
    began = asyncio.Event()

    async def push(*_):
        began.set()
        await asyncio.sleep(0.01)
        raise SoftTimeLimitExceeded

    async def main():
        call = asyncio.create_task(sink.send_all(messages))
        await began.wait()
        call.cancel()
        await asyncio.wait([call])
        await all_others()

    monkeypatch.setattr(AsyncPushing, "push", push)
    sink = AsyncRedisSink(partitions=3, spool_dir=tmp_path, error_handler=lambda _: None)
    messages = [("profile_update", json.dumps({"$distinct_id": f"u{n}"})) for n in range(30)]
    asyncio.run(main())
    assert sink.counters.spooled == 30


def test_an_ending_passes_through_the_making_of_a_dead_letter(tmp_path):
    class Slow:
        def __repr__(self):
            raise SoftTimeLimitExceeded

    tracker = Tracker("token", spool_dir=tmp_path, on_invalid="dead-letter")
    with pytest.raises(SoftTimeLimitExceeded):
        tracker.track("1", "Event", {"what": Slow()})


async def finish(awaited):
    return await awaited


async def all_others():
    """Wait for the end of the tasks that nobody waits for."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        await asyncio.wait(others)


def test_a_failure_while_an_ending_is_handled_is_not_that_ending():
    def refuse(*_):
        raise DeliveryError("no")

    told = []
    tracker = Tracker("token", refuse, error_handler=told.append)
    try:
        with ringing(SoftTimeLimitExceeded):
            busy()
    except SoftTimeLimitExceeded:
        assert tracker.track("1", "Job Timed Out") is False
    assert [str(one) for one in told] == ["no"]


def test_a_block_that_was_never_ended_sends_what_it_has_and_collects_no_more():
    sent = []
    tracker = Tracker("token", lambda _, message: sent.append(message))
    tracker.batch().__enter__()  # as by an ending between this and the block
    tracker.track("1", "After")
    assert len(sent) == 1

    block = tracker.batch().__enter__()
    tracker.track("1", "In it")
    assert len(sent) == 1
    del block
    assert len(sent) == 2
    tracker.track("1", "After")
    assert len(sent) == 3


@contextmanager
def silence():
    """Yield the address of a server that takes requests and answers none."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@contextmanager
def ringing_while_it_waits(kind, seconds=0.2):
    """Raise it in what follows, which waits for something.

    In a finalizer, which may run at any time, it goes nowhere, as Python has it: it rings again.
    """
    is_over = threading.Event()

    def ring(*_):
        raise kind("rings")

    def ring_until_over():
        if not is_over.wait(seconds):
            signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)
        while not is_over.wait(3):
            signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)

    former = signal.signal(signal.SIGUSR1, ring), sys.unraisablehook
    sys.unraisablehook = lambda _: None
    thread = threading.Thread(target=ring_until_over)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        joined(thread)
        sys.unraisablehook = former[1]
        signal.signal(signal.SIGUSR1, former[0])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("what", ["send", "sink", "lookup"])
def test_an_ending_passes_through_a_request_to_mixpanel(kind, what):
    account = Credentials.service_account("user", "secret", "42")
    message = '{"data":{"event":"A","properties":{"token":"0123456789abcdef"}}}'
    rows = [["id", "genre"], ["1", "pop"]]
    with silence() as address:
        consumer = Consumer(api_host=address)
        calls = {
            "send": lambda: consumer.send("event", message),
            "sink": lambda: Tracker("token", consumer.send).track("1", "Event"),
            "lookup": lambda: replace_lookup_table(
                "d1b6d2e0-1330-4ad6-b520-d948ede3b1a7", rows, credentials=account, api_host=address
            ),
        }
        with pytest.raises(kind, match="rings"), ringing_while_it_waits(kind):
            calls[what]()


def test_a_request_while_an_ending_is_handled_fails_for_its_own_reason():
    with silence() as address:
        consumer = Consumer(api_host=address, deadline=0.1)
        try:
            with ringing(TimeoutError):
                busy()
        except TimeoutError:
            with pytest.raises(ConnectionFailedError):
                consumer.send("event", '{"data":{"event":"A","properties":{}}}')
