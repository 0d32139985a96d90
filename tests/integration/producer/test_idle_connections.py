"""Connections that something on the way cut while nobody used them, with a word or without."""

import asyncio
import socket
import time

import pytest

from mixrelay.producer import AsyncTracker, Tracker
from mixrelay.sandbox import Sandbox
from mixrelay.shared import idleness
from mixrelay.shared.connection import connect
from mixrelay.shared.mixpanel.endpoints import Destination, Endpoint
from mixrelay.shared.mixpanel.transport import Answer, Failure, Transport
from tests.support.faultproxy import FaultProxy
from tests.support.nat import Nat
from tests.support.patience import within
from tests.support.redis_faults import names

IDLE = 0.2


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(idleness, "IDLE_SECONDS", IDLE)


@pytest.fixture
def nat(url, store):
    plan = Nat()
    with FaultProxy(url, plan) as proxy:
        yield plan, proxy


def rest():
    time.sleep(2 * IDLE)  # the time itself is what matters


def test_a_call_after_a_rest_opens_what_a_nat_forgot(nat, url, short, heard):
    plan, proxy = nat
    tracker = Tracker("token", redis_url=proxy.url, queue="q", error_handler=heard.append)
    assert tracker.track("1", "Before") is True
    plan.forget()
    rest()
    with within(1.1):
        assert tracker.people.increment("1", {"n": 1}) is True
    assert tracker.track("1", "After") is True
    assert tracker.counters.queued == 3
    assert tracker.counters.unanswered == 0
    assert heard == []


def test_an_awaited_call_after_a_rest_opens_what_a_nat_forgot(nat, url, short, heard):
    plan, proxy = nat
    tracker = AsyncTracker("token", redis_url=proxy.url, queue="q", error_handler=heard.append)

    async def main():
        assert await tracker.track("1", "Before") is True
        plan.forget()
        await asyncio.to_thread(rest)
        with within(1.1):
            assert await tracker.track("1", "After") is True

    asyncio.run(main())
    assert names(url) == ["Before", "After"]
    assert tracker.counters.unanswered == 0
    assert heard == []


def test_a_connection_that_is_in_use_all_the_time_stays(nat, short):
    plan, proxy = nat
    tracker = Tracker("token", redis_url=proxy.url, queue="q")
    ends = time.monotonic() + 3 * IDLE
    opened = set()
    while time.monotonic() < ends:
        assert tracker.track("1", "E") is True
        opened |= plan.connections
    assert len(opened) <= 3  # a busy machine may rest for us


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_a_connection_that_was_reset_meanwhile_makes_no_doubt(nat, url, heard, is_async):
    _, proxy = nat
    kind = AsyncTracker if is_async else Tracker
    tracker = kind("token", redis_url=proxy.url, queue="q", error_handler=heard.append)

    async def main():
        for number in range(3):
            sent = tracker.track("1", f"E{number}")
            assert (await sent if is_async else sent) is True
            proxy.cut_all()
            await asyncio.sleep(0.05)  # for its end to arrive

    asyncio.run(main())
    assert names(url) == ["E0", "E1", "E2"]
    assert tracker.counters.unanswered == 0
    assert heard == []


def test_workers_and_commands_open_it_anew_too(nat, short):
    plan, proxy = nat
    with connect(proxy.url, timeout=2) as client:
        client.ping()
        plan.forget()
        rest()
        assert client.ping()


def test_a_request_to_mixpanel_after_a_rest_opens_what_a_nat_forgot(short):
    plan = Nat()
    with Sandbox() as sandbox, FaultProxy(sandbox.url, plan) as proxy:
        transport = Transport(read_timeout=2, deadline=2)
        to = Destination(Endpoint.TRACK, proxy.url)
        try:
            assert isinstance(transport.post(to, b"[]"), Answer)
            plan.forget()
            assert isinstance(transport.post(to, b"[]"), Failure)  # without a rest it cannot know
            assert isinstance(transport.post(to, b"[]"), Answer)
            plan.forget()
            rest()
            assert isinstance(transport.post(to, b"[]"), Answer)
        finally:
            transport.close()


@pytest.mark.skipif(not hasattr(socket, "TCP_KEEPIDLE"), reason="this system has no such option")
def test_idle_connections_show_that_they_are_alive(url, store):
    with connect(url) as client:
        connection = client.connection_pool.get_connection()
        sock = connection._sock
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 30
        client.connection_pool.release(connection)
