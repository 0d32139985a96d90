"""Servers that announce their maintenance (Redis Enterprise, Redis Cloud) to clients that ask.

redis-py 8 asks at each connection, and then waits ten seconds for an answer in place of the
timeout it was given: `MaintNotificationsConfig(relaxed_timeout=10)`.
"""

import asyncio
import socket
import threading
import time
from contextlib import contextmanager, suppress

import pytest
import redis

from mixrelay.producer import AsyncTracker, Tracker
from mixrelay.shared.connection import connect
from tests.support.patience import joined, slowness

ANNOUNCED = b">3\r\n$12\r\nFAILING_OVER\r\n:1\r\n:30\r\n"


class Announcing:
    """Answers all but a push; announces a failover to who asked for that."""

    def __init__(self):
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._server.getsockname()[1]}/0?protocol=3"
        self.got = b""
        self._open = []
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def _accept(self):
        with suppress(OSError):
            while True:
                sock, _ = self._server.accept()
                thread = threading.Thread(target=self._answer, args=[sock])
                self._open.append((sock, thread))
                thread.start()

    def _answer(self, sock):
        with suppress(OSError):
            while received := sock.recv(65536):
                self.got += received
                if b"HELLO" in received:
                    sock.sendall(b"%1\r\n$5\r\nproto\r\n:3\r\n")
                elif b"CLIENT" in received:
                    sock.sendall(b"+OK\r\n" * received.count(b"CLIENT"))
                elif b"PING" in received:
                    sock.sendall(b"+PONG\r\n")
                elif b"MAINT_NOTIFICATIONS" in self.got:
                    sock.sendall(ANNOUNCED)

    def close(self):
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        joined(self._thread)
        for sock, thread in self._open:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            joined(thread)
            sock.close()


@pytest.fixture
def server():
    server = Announcing()
    yield server
    server.close()


@contextmanager
def within(seconds):
    began = time.monotonic()
    yield
    took = time.monotonic() - began
    assert took < seconds * slowness(), took


OPTIONS = {"spool_dir": "off", "timeout": 0.4, "connect_timeout": 0.4}


@pytest.mark.parametrize("way", ["address", "own client"])
@pytest.mark.parametrize("kind", [Tracker, AsyncTracker])
def test_a_call_takes_no_longer_where_a_failover_is_announced(server, kind, way, heard):
    where = {"redis_url": server.url}
    if way == "own client":
        where = {"redis": redis.Redis.from_url(server.url)}
    tracker = kind("token", error_handler=heard.append, **where, **OPTIONS)
    with within(3.0):
        if kind is Tracker:
            assert tracker.track("1", "E") is False
        else:
            assert asyncio.run(tracker.track("1", "E")) is False
    assert b"RPUSH" in server.got
    assert b"MAINT_NOTIFICATIONS" not in server.got


def test_workers_and_commands_do_not_ask_either(server):
    client = connect(server.url, timeout=0.4, connect_timeout=0.4)
    assert client.ping()
    with within(3.0), pytest.raises(redis.TimeoutError):
        client.get("k")
    client.close()
    assert b"MAINT_NOTIFICATIONS" not in server.got
