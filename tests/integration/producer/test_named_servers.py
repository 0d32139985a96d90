"""A name whose meaning changes, and name servers that say nothing.

Failover by DNS: the old server goes on with its open connections, as a replica.
"""

import asyncio
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError

from mixrelay.producer import AsyncTracker, QueueUnavailableError, Tracker
from mixrelay.shared import resolving
from mixrelay.shared.connection import connect
from mixrelay.shared.queue import Queue
from tests.support.fleet import wait_until
from tests.support.patience import joined, patient, slowness, within
from tests.support.redis_faults import event_name
from tests.support.redis_servers import RedisServer

NAME = "redis.test"
BOUND = 1.1
"""Seconds that no call takes longer than, with the product's own timeouts."""


class Names:
    """Stands for a name server that knows one name."""

    def __init__(self) -> None:
        self.address = "127.0.0.1"
        self.asked = 0
        self.is_silent = False
        self.fails: socket.gaierror | None = None
        self.ends = threading.Event()
        self._real = socket.getaddrinfo

    def look_up(self, host, port, *args, **kwargs):
        if host != NAME:
            return self._real(host, port, *args, **kwargs)
        self.asked += 1
        if self.is_silent:
            self.ends.wait(60)
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        if self.fails is not None:
            raise self.fails
        return self._real(self.address, port, *args, **kwargs)


@pytest.fixture
def dns(monkeypatch: pytest.MonkeyPatch) -> Iterator[Names]:
    names = Names()
    monkeypatch.setattr(socket, "getaddrinfo", names.look_up)
    monkeypatch.setattr(resolving, "_resolver", resolving._Resolver())
    yield names
    names.ends.set()


@pytest.fixture
def pair() -> Iterator[tuple[RedisServer, RedisServer]]:
    """Two servers with the same port on two addresses."""
    with RedisServer() as first, RedisServer(bind="127.0.0.2", port=first.port) as second:
        yield first, second


def fail_over(dns: Names, first: RedisServer, second: RedisServer) -> None:
    """What a managed Redis does: the other one is the primary, and has the name."""
    first.client.replicaof("127.0.0.2", first.port)
    dns.address = "127.0.0.2"
    wait_until(lambda: first.client.info("replication")["role"] == "slave", 10, "a replica")


def url_of(server: RedisServer) -> str:
    return f"redis://{NAME}:{server.port}/0"


def names_at(server: RedisServer) -> list[str]:
    return [event_name(one) for one in server.client.lrange("q", 0, -1)]


def test_after_a_failover_by_name_the_next_call_reaches_the_new_primary(dns, pair, heard):
    first, second = pair
    tracker = Tracker(
        "token", redis_url=url_of(first), queue="q", error_handler=heard.append, timeout=5
    )
    started = threading.Barrier(4)

    def several() -> None:  # so that there are several connections
        started.wait(30)
        assert tracker.track("1", "Before") is True

    threads = [threading.Thread(target=several) for _ in range(4)]
    for thread in threads:
        thread.start()
    joined(*threads)
    fail_over(dns, first, second)
    assert [tracker.track("1", f"After {n}") for n in range(8)] == [True] * 8
    assert names_at(second) == [f"After {n}" for n in range(8)]
    assert tracker.counters.queued == 12
    assert tracker.counters.unanswered == 0
    assert heard == []


def test_after_a_failover_by_name_the_next_awaited_call_reaches_the_new_primary(dns, pair, heard):
    first, second = pair
    tracker = AsyncTracker(
        "token", redis_url=url_of(first), queue="q", error_handler=heard.append, timeout=5
    )

    async def main() -> None:
        await asyncio.gather(*(tracker.track("1", "Before") for _ in range(20)))
        await asyncio.to_thread(fail_over, dns, first, second)
        for n in range(8):
            assert await tracker.track("1", f"After {n}") is True

    asyncio.run(main())
    assert names_at(second) == [f"After {n}" for n in range(8)]
    assert tracker.counters.unanswered == 0
    assert heard == []


def test_a_replica_that_keeps_the_name_refuses_and_the_message_is_kept(dns, pair, heard):
    first, second = pair
    tracker = Tracker("token", redis_url=url_of(first), queue="q", error_handler=heard.append)
    assert tracker.track("1", "Before") is True
    first.client.replicaof("127.0.0.2", first.port)
    assert tracker.track("1", "Kept") is True
    assert tracker.counters.spooled == 1
    assert tracker.counters.unanswered == 0
    assert "point MIXRELAY_REDIS_URL at the primary" in str(heard[0])
    dns.address = "127.0.0.2"  # the name follows late
    wait_until(lambda: tracker.track("1", "Back") and "Kept" in names_at(second), 30, "the drain")
    assert names_at(second).count("Kept") == 1


def test_after_a_failover_by_name_workers_and_commands_go_on_at_once(dns, pair):
    first, second = pair
    with connect(url_of(first)) as client:
        queue = Queue(client, "q")
        queue.books()
        fail_over(dns, first, second)
        client.set("a", 1)
        queue.books()
    assert second.client.get("a") == b"1"


def test_a_pipeline_and_a_script_are_sent_anew_to_the_new_primary(dns, pair):
    first, second = pair
    with connect(url_of(first)) as client:
        client.ping()
        fail_over(dns, first, second)
        with client.pipeline(transaction=True) as pipeline:
            pipeline.incr("n").incr("n")
            assert pipeline.execute() == [1, 2]
    with connect(f"redis://{NAME}:{first.port}/0") as client:
        dns.address = "127.0.0.1"
        client.connection_pool.disconnect()
        client.ping()
        dns.address = "127.0.0.2"
        # As one of ours: the flags line says that it writes.
        assert client.eval("#!lua\nreturn redis.call('incr', KEYS[1])", 1, "n") == 3
    assert second.client.get("n") == b"3"


def test_what_waits_for_a_job_is_sent_to_the_new_primary(dns, pair):
    """RQ's workers wait in BLPOP, which a server ends as it becomes a replica."""
    first, second = pair
    second.client.rpush("jobs", "job")
    got = []
    with connect(url_of(first), timeout=60) as client:
        thread = threading.Thread(target=lambda: got.append(client.blpop(["jobs"], timeout=30)))
        thread.start()
        wait_until(lambda: first.client.info("clients")["blocked_clients"] == 1, 10, "its wait")
        dns.address = "127.0.0.2"
        first.client.replicaof("127.0.0.2", first.port)
        joined(thread)
    assert got == [(b"jobs", b"job")]


def test_a_replica_is_an_answer_and_a_reason_to_connect_anew(dns, pair):
    first, _ = pair
    first.client.replicaof("127.0.0.2", first.port)
    with connect(url_of(first)) as client:
        with pytest.raises(ReadOnlyError) as told:
            client.set("a", 1)
        assert isinstance(told.value, RedisConnectionError)  # what RQ waits after


def test_a_silent_name_server_costs_a_call_less_than_a_second(dns, heard):
    dns.is_silent = True
    tracker = Tracker(
        "token", redis_url=f"redis://{NAME}:6379/0", queue="q", error_handler=heard.append
    )
    longest = 0.0
    for number in range(20):
        began = time.monotonic()
        assert tracker.track("1", f"E{number}") is True
        longest = max(longest, time.monotonic() - began)
    assert longest < BOUND * slowness()
    assert tracker.counters.spooled == 20
    assert isinstance(heard[0], QueueUnavailableError)
    assert "no name server answered" in str(heard[0])
    assert not heard[0].maybe_delivered
    assert dns.asked == 1  # one lookup, which all wait for


def test_a_silent_name_server_costs_an_awaited_call_less_than_a_second_and_no_loop(dns, heard):
    dns.is_silent = True
    tracker = AsyncTracker(
        "token", redis_url=f"redis://{NAME}:6379/0", queue="q", error_handler=heard.append
    )

    async def main() -> None:
        with within(BOUND):
            results = await asyncio.gather(*(tracker.track("1", "E") for _ in range(50)))
        assert results == [True] * 50

    began = time.monotonic()
    asyncio.run(main())  # also the loop's end waits for no lookup
    assert time.monotonic() - began < patient(5)
    assert tracker.counters.spooled == 50
    assert "no name server answered" in str(heard[0])


def test_threads_that_fill_the_loops_own_pool_delay_no_message(dns):
    """An application's own lookups may hang in the threads of its event loop."""
    dns.is_silent = True
    tracker = AsyncTracker("token", redis_url=f"redis://{NAME}:6379/0", queue="q")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        hung = [loop.run_in_executor(None, dns.ends.wait, 60) for _ in range(64)]
        with within(BOUND):
            assert await tracker.track("1", "E") is True
        dns.ends.set()
        await asyncio.gather(*hung)

    asyncio.run(main())
    assert tracker.counters.spooled == 1


def test_a_worker_or_command_waits_for_a_name_server_no_longer_than_to_connect(dns):
    dns.is_silent = True
    client = connect(f"redis://{NAME}:6379/0", connect_timeout=0.3)
    with within(BOUND), pytest.raises(RedisConnectionError, match="no name server answered"):
        client.ping()


@pytest.mark.parametrize("fails", [False, True], ids=["silent", "fails for now"])
def test_the_last_good_answer_stands_in_for_a_name_server(dns, pair, heard, fails):
    first, _ = pair
    tracker = Tracker(
        "token", redis_url=url_of(first), queue="q", error_handler=heard.append, timeout=5
    )
    awaited = AsyncTracker(
        "token", redis_url=url_of(first), queue="q", error_handler=heard.append, timeout=5
    )
    assert tracker.track("1", "Before") is True
    if fails:
        dns.fails = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
    else:
        dns.is_silent = True
    first.client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    assert tracker.track("1", "After") is True
    assert asyncio.run(awaited.track("1", "Awaited")) is True
    assert names_at(first) == ["Before", "After", "Awaited"]
    assert heard == []


def test_lookups_that_hang_hold_a_bounded_number_of_threads(dns, monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: dns.ends.wait(60) or [])
    for number in range(3 * resolving.MOST_LOOKUPS):
        with pytest.raises(resolving.SilentError):
            resolving.addresses(f"host-{number}.test", 80, 0.01)
    threads = [one for one in threading.enumerate() if one.name == "mixrelay-resolve"]
    assert len(threads) <= resolving.MOST_LOOKUPS


def test_a_name_that_does_not_exist_is_said_at_once(dns, pair):
    dns.fails = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    with pytest.raises(RedisConnectionError, match="Name or service not known"):
        connect(url_of(pair[0])).ping()


class TimeLimit(TimeoutError):
    """What an application raises after ``signal.alarm``."""


def test_an_ending_at_the_start_of_a_lookup_leaves_no_host_silent(dns, monkeypatch):
    def end(_):
        raise TimeLimit

    with monkeypatch.context() as limited:
        limited.setattr(threading.Thread, "start", end)
        with pytest.raises(TimeLimit):
            resolving.addresses(NAME, 6379, 1.0)
    assert resolving.addresses(NAME, 6379, patient(5.0))


@pytest.mark.parametrize("is_known", [True, False], ids=["known", "unknown"])
def test_a_time_limit_of_the_application_is_not_that_of_a_lookup(dns, monkeypatch, is_known):
    monkeypatch.setattr(resolving, "KNOWN_SECONDS", patient(5.0))
    if is_known:
        resolving.addresses(NAME, 6379, patient(5.0))
    dns.is_silent = True
    with limited_to(0.1), pytest.raises(TimeLimit):
        resolving.addresses(NAME, 6379, patient(5.0))


@contextmanager
def limited_to(seconds: float) -> Iterator[None]:
    """By a signal that no test plugin uses."""

    def ring(*_):
        raise TimeLimit

    former = signal.signal(signal.SIGUSR1, ring)
    timer = threading.Timer(seconds, os.kill, [os.getpid(), signal.SIGUSR1])
    timer.start()
    try:
        yield
    finally:
        joined(timer)
        signal.signal(signal.SIGUSR1, former)
