"""Calls at moments that applications have: signal handlers, finalizers, the end of the process.

And trackers made, copied and pickled for each request.
"""

import copy
import pickle
import sys
import threading

import orjson
import pytest

from mixrelay.producer import Tracker
from mixrelay.producer.buffered import BufferedConsumer
from mixrelay.producer.push.async_sink import AsyncRedisSink
from mixrelay.producer.push.sink import RedisSink
from mixrelay.producer.spool.spool import Spool
from mixrelay.shared.connection.versions import VERSION
from tests.support.patience import joined
from tests.support.processes import finished


def names(tuples):
    return sorted(orjson.loads(orjson.loads(one)[1])["data"]["event"] for one in tuples)


def run(code, url, tmp_path):
    script = (
        "import atexit, signal, sys, threading, time\n"
        "from mixrelay.producer import Tracker\n"
        f"tracker = Tracker('token', redis_url={url!r}, queue='q', spool_dir={str(tmp_path)!r})\n"
        f"{code}\n"
    )
    done = finished(
        [sys.executable, "-X", "faulthandler", "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


AT_THE_END = {
    "atexit": "atexit.register(lambda: tracker.track('1', 'E'))",
    "finalizer": (
        "class Thing:\n"
        "    def __del__(self):\n"
        "        self.tracker.track('1', 'E')\n"
        "thing = Thing()\n"
        "thing.tracker = tracker\n"
        "thing.itself = thing"
    ),
    "thread that outlives main": (
        "def late():\n"
        "    threading.main_thread().join()\n"
        "    tracker.track('1', 'E')\n"
        "threading.Thread(target=late).start()"
    ),
    "batch left open": "block = tracker.batch().__enter__()\ntracker.track('1', 'E')",
}


@pytest.mark.parametrize("when", AT_THE_END)
@pytest.mark.parametrize("is_away", [False, True], ids=["redis there", "redis away"])
def test_a_call_at_the_end_of_a_process_is_kept(url, store, tmp_path, when, is_away):
    run(AT_THE_END[when], "redis://127.0.0.1:1" if is_away else url, tmp_path)
    kept = store.lrange("q", 0, -1)
    for file in tmp_path.rglob("*.jsonl"):
        kept += [line for line in file.read_bytes().splitlines() if line.strip()]
    assert names(kept) == ["E"]


def test_signal_handlers_that_track_meet_no_lock(url, store, tmp_path):
    code = (
        "handled = 0\n"
        "def handle(*_):\n"
        "    global handled\n"
        "    assert tracker.track('1', f'H{handled}')\n"
        "    handled += 1\n"
        "signal.signal(signal.SIGALRM, handle)\n"
        "for number in range(300):\n"
        "    signal.setitimer(signal.ITIMER_REAL, (number % 30 + 1) / 20_000)\n"
        "    with tracker.batch():\n"
        "        assert tracker.track('1', f'B{number}')\n"
        "    assert tracker.track('1', f'E{number}')\n"
        "signal.setitimer(signal.ITIMER_REAL, 0)\n"
        "counts = tracker.counters.as_dict()\n"
        "assert counts['queued'] + counts['spooled'] == 600 + handled, (counts, handled)\n"
        "assert handled > 10\n"
    )
    run(code, url, tmp_path / "there")
    run(code, "redis://127.0.0.1:1", tmp_path / "away")
    for file in (tmp_path / "away").rglob("*.jsonl"):
        lines = [line for line in file.read_bytes().splitlines() if line.strip()]
        assert len(set(names(lines))) == len(lines)


UNDER_A_LOCK = {
    "a lookup of a host": "from mixrelay.shared import resolving as owner; name = '_Lookup'",
    "the map of a cluster": (
        "from mixrelay.shared.connection.topology import Topology as owner; name = '_told'"
    ),
    "a pool of connections": "from redis import ConnectionPool as owner; name = 'make_connection'",
    "the events of a pool": (
        "from redis.event import ReAuthConnectionListener as owner; name = 'listen'"
    ),
}
RING = """
inner = getattr(owner, name)
rung = []
def ring(*args, **options):
    if not rung:
        rung.append(1)
        signal.raise_signal(signal.SIGUSR1)
    return inner(*args, **options)
signal.signal(signal.SIGUSR1, lambda *_: tracker.track('1', 'H'))
setattr(owner, name, ring)
assert tracker.track('1', 'E') and rung
"""


@pytest.mark.parametrize("where", UNDER_A_LOCK)
def test_a_signal_handler_that_tracks_meets_no_lock_of_its_own_thread(url, store, tmp_path, where):
    if where == "the events of a pool" and VERSION < (5, 3):
        pytest.skip("redis-py 5.2 has none")
    if where == "the map of a cluster":
        url = "redis+cluster://127.0.0.1:1"
    if where == "a lookup of a host":
        url = url.replace("127.0.0.1", "localhost")
    run(f"{UNDER_A_LOCK[where]}\n{RING}", url, tmp_path)
    kept = store.lrange("q", 0, -1)
    for file in tmp_path.rglob("*.jsonl"):
        kept += [line for line in file.read_bytes().splitlines() if line.strip()]
    assert names(kept) == ["E", "H"]


def test_a_signal_handler_in_the_middle_of_a_spools_write_waits_for_nobody(tmp_path, monkeypatch):
    spool = Spool(tmp_path / "spool", 10**6, fsync=False)
    inner = Spool._write
    nested = []

    def write(self, file, lines):
        if not nested:  # as a handler that comes right here
            nested.append(1)
            self.append([b'["late"]'])
        inner(self, file, lines)

    monkeypatch.setattr(Spool, "_write", write)
    spool.append([b'["first"]'])
    assert (tmp_path / "spool" / "spool.jsonl").read_bytes().split() == [b'["first"]', b'["late"]']


def test_a_signal_handler_in_the_middle_of_a_spools_write_moves_no_lines(tmp_path, monkeypatch):
    """As a call does whose turn it is to try Redis again, before it keeps its own message."""
    spool = Spool(tmp_path / "spool", 10**6, fsync=False)
    spool.append([b'["before"]'])
    inner = Spool._write
    nested = []

    def write(self, file, lines):
        if not nested:
            nested.append("handler")
            with self.drain_lock(0.02) as may_move:
                nested.append(may_move)
                if may_move:
                    self.oldest()
            self.append([b'["late"]'])
        inner(self, file, lines)

    monkeypatch.setattr(Spool, "_write", write)
    spool.append([b'["first"]'])
    assert nested == ["handler", False]
    kept = (tmp_path / "spool" / "spool.jsonl").read_bytes().split()
    assert kept == [b'["before"]', b'["first"]', b'["late"]']
    with spool.drain_lock(0.02) as may_move:
        assert may_move


def test_a_buffered_consumer_sends_each_record_once_though_its_sink_tracks():
    sent = []

    def sink(kind, message):
        sent.extend(one["event"] for one in orjson.loads(message)["data"])
        if len(sent) == 2:
            buffered.send("event", '{"data":{"event":"inner"}}')
            buffered.send("event", '{"data":{"event":"inner 2"}}')

    buffered = BufferedConsumer(sink, max_size=2)
    for name in ("a", "b", "c"):
        buffered.send("event", f'{{"data":{{"event":"{name}"}}}}')
    buffered.flush()
    assert sorted(sent) == ["a", "b", "c", "inner", "inner 2"]


def test_a_copy_shares_what_belongs_to_the_process():
    tracker = Tracker("token", lambda *_: True).with_properties({"a": 1})
    for other in (copy.copy(tracker), copy.deepcopy(tracker), copy.deepcopy({"t": tracker})["t"]):
        assert other.track("1", "Event")
    assert tracker.counters.queued == 3


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_a_tracker_survives_pickling(url, store, tmp_path, protocol):
    tracker = Tracker("secret", redis_url=url, queue="q", spool_dir=tmp_path, timeout=2.0)
    tracker = tracker.with_properties({"App": "web"})
    other = pickle.loads(pickle.dumps(tracker, protocol))
    assert other.track("1", "Event")
    record = orjson.loads(orjson.loads(store.lindex("q", 0))[1])["data"]
    assert record["properties"]["App"] == "web"
    assert record["properties"]["token"] == "secret"
    assert other._outlet._sink.settings.timeout == 2.0


@pytest.mark.parametrize("kind", [RedisSink, AsyncRedisSink])
def test_a_sink_survives_pickling(kind):
    sink = kind("redis://127.0.0.1:1", "q", spool_dir="off", timeout=2.0)
    other = pickle.loads(pickle.dumps(Tracker("token", sink=sink)))._outlet._sink
    assert (repr(other), other.settings) == (repr(sink), sink.settings)


def test_trackers_made_for_each_request_leave_no_connection(url, store, tmp_path):
    code = (
        "import gc, redis\n"
        "gc.disable()\n"  # it would close what is in a cycle, some time later
        "def request():\n"
        f"    other = Tracker('token', redis_url={url!r}, queue='q', spool_dir='off')\n"
        "    assert other.track('1', 'E')\n"
        "for _ in range(20):\n"
        "    request()\n"
        f"store = redis.Redis.from_url({url!r})\n"
        "ends = time.monotonic() + 30\n"
        "def left():\n"
        "    return sum(1 for one in store.client_list() if one['cmd'] == 'rpush')\n"
        "while left():\n"
        "    assert time.monotonic() < ends, left()\n"
        "    time.sleep(0.01)\n"
    )
    run(code, url, tmp_path)
    assert store.llen("q") == 20


def test_counters_of_many_threads_and_a_fork_are_exact():
    tracker = Tracker("token", lambda *_: True)

    def work():
        for _ in range(500):
            tracker.track("1", "Event")
        tracker.counters.add("dropped", 500)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        joined(thread)
    assert (tracker.counters.queued, tracker.counters.dropped) == (4000, 4000)
