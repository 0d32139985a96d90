import json
import threading
import time

import pytest
import requests
from redis import Redis
from redis.exceptions import ConnectionError as Broken
from redis.exceptions import TimeoutError as TimedOut

from mixrelay.sandbox import Sandbox
from mixrelay.shared.connection import connect
from tests.support.faultproxy import (
    FaultProxy,
    after,
    always,
    at_random,
    before,
    cut_after,
    cut_before,
    delay,
    first,
    half_open,
    has,
    nth,
    trickle,
    truncate,
)
from tests.support.redis_faults import until

PROPERTIES = {"token": "t", "distinct_id": "1", "time": int(time.time()), "$insert_id": "1"}
EVENT = json.dumps([{"event": "E", "properties": PROPERTIES}]).encode()
PUSHES = has(b"RPUSH")


def push(proxy: FaultProxy, value: str, timeout: float = 5.0) -> int:
    with connect(proxy.url, timeout=timeout) as client:
        return client.rpush("list", value)


def pushed(redis: Redis) -> list[bytes]:
    return redis.lrange("list", 0, -1)


def test_without_a_fault_all_replies_come_as_redis_gives_them(redis_url: str) -> None:
    for protocol in (2, 3):
        with (
            FaultProxy(redis_url) as proxy,
            Redis.from_url(proxy.url, protocol=protocol) as through,
            Redis.from_url(redis_url, protocol=protocol) as direct,
        ):
            through.set("text", b"\r\n$5\r\n" * 50_000)
            through.hset("hash", mapping={"a": "1", "b": "2"})
            through.zadd("zset", {"one": 1.5})
            for ask in (
                lambda it: it.get("text"),
                lambda it: it.get("nothing"),
                lambda it: it.hgetall("hash"),
                lambda it: it.zrange("zset", 0, -1, withscores=True),
                lambda it: it.eval("return {1, {'two', false}, {}}", 0),
                lambda it: it.pipeline().set("n", 1).incr("n").lrange("none", 0, -1).execute(),
            ):
                assert ask(through) == ask(direct)


@pytest.mark.parametrize(
    ("fault", "kept"), [(cut_before, [b"1", b"3"]), (cut_after, [b"1", b"2", b"3"])]
)
def test_the_nth_command_of_a_kind_is_cut_before_or_after_the_server_ran_it(
    redis: Redis, redis_url: str, fault, kept
) -> None:
    with FaultProxy(redis_url, nth(2, fault, PUSHES)) as proxy:
        assert push(proxy, "1") == 1
        with pytest.raises(Broken):
            push(proxy, "2")
        push(proxy, "3")
        assert proxy.faulted == 1
    assert pushed(redis) == kept


def test_a_truncated_reply_is_an_error_and_the_command_was_run(
    redis: Redis, redis_url: str
) -> None:
    with FaultProxy(redis_url, first(1, truncate, PUSHES)) as proxy, pytest.raises(Broken):
        push(proxy, "1")
    assert pushed(redis) == [b"1"]


@pytest.mark.parametrize(("fault", "ran"), [(delay(5), True), (half_open, False)])
def test_a_late_reply_and_a_half_open_connection_are_silence(
    redis: Redis, redis_url: str, fault, ran
) -> None:
    with FaultProxy(redis_url, first(1, fault, PUSHES)) as proxy:
        with pytest.raises(TimedOut):
            push(proxy, "1", timeout=0.5)
        push(proxy, "2")
    assert pushed(redis) == ([b"1"] if ran else []) + [b"2"]


def test_a_delayed_and_a_trickled_reply_come_whole(redis_url: str) -> None:
    with FaultProxy(redis_url) as proxy:
        for fault in (delay(0.05), trickle(0.01)):
            proxy.plan = first(1, fault, PUSHES)
            began = time.monotonic()
            assert push(proxy, "1")
            assert time.monotonic() - began > 0.03


def test_hooks_are_called_before_and_after_the_server_ran_the_command(
    redis: Redis, redis_url: str
) -> None:
    seen: list[list[bytes]] = []

    def look() -> None:
        seen.append(pushed(redis))

    with FaultProxy(redis_url, first(1, before(look), PUSHES)) as proxy:
        with pytest.raises(Broken):
            push(proxy, "1")
        proxy.plan = first(1, after(look), PUSHES)
        assert push(proxy, "2") == 1
    assert seen == [[], [b"2"]]


def test_commands_of_one_pipeline_are_exchanges_of_their_own(redis: Redis, redis_url: str) -> None:
    with (
        FaultProxy(redis_url, nth(2, cut_before, PUSHES)) as proxy,
        connect(proxy.url) as client,
        pytest.raises(Broken),
    ):
        client.pipeline(transaction=False).rpush("list", "1").rpush("list", "2").execute()
    assert pushed(redis) == [b"1"]


def test_faults_at_random_are_the_same_for_the_same_seed(redis_url: str) -> None:
    def ends() -> list[bool]:
        found = []
        with FaultProxy(redis_url, at_random(0.3, [cut_before, cut_after], seed=7)) as proxy:
            for n in range(30):
                try:
                    found.append(bool(push(proxy, str(n))))
                except Broken:
                    found.append(False)
        return found

    assert ends() == ends()
    assert {True, False} <= set(ends())


def test_a_server_that_leaves_takes_idle_clients_with_it(redis: Redis, redis_url: str) -> None:
    with FaultProxy(redis_url) as proxy, connect(proxy.url) as client:
        client.set("a", 1)
        redis.client_kill_filter(_type="normal", skipme=True)
        until(lambda: not proxy._open)
        assert client.get("a") == b"1"


def push_in_vain(proxy: FaultProxy) -> None:
    with pytest.raises(Broken):
        push(proxy, "1")


def test_the_proxy_ends_with_hung_and_idle_connections_open(redis_url: str) -> None:
    threads = threading.active_count()
    with FaultProxy(redis_url, first(1, half_open, PUSHES)) as proxy, connect(proxy.url) as idle:
        idle.ping()
        hung = threading.Thread(target=push_in_vain, args=(proxy,))
        hung.start()
        until(lambda: proxy.faulted)
    hung.join(5)
    assert threading.active_count() == threads


def post(proxy: FaultProxy, timeout: float = 10.0) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        return session.post(f"{proxy.url}/track?verbose=1", data=EVENT, timeout=timeout)


@pytest.mark.parametrize(
    ("fault", "arrived"),
    [(cut_before, 0), (half_open, 0), (cut_after, 1), (truncate, 1), (delay(5), 1)],
)
def test_requests_over_http_meet_the_same_faults(mixpanel: Sandbox, fault, arrived: int) -> None:
    with FaultProxy(mixpanel.url, first(1, fault)) as proxy:
        with pytest.raises(requests.RequestException):
            post(proxy, timeout=0.5)
        assert len(mixpanel.events) == arrived
        assert post(proxy).json()["status"] == 1
    assert len(mixpanel.requests) == arrived + 1


def test_a_trickled_answer_outlasts_the_read_timeout(mixpanel: Sandbox) -> None:
    with FaultProxy(mixpanel.url, always(trickle(0.01))) as proxy:
        began = time.monotonic()
        assert post(proxy, timeout=0.5).json()["status"] == 1
        assert time.monotonic() - began > 0.5


def test_large_and_chunked_bodies_pass_whole(mixpanel: Sandbox) -> None:
    body = b"[" + b",".join([EVENT[1:-1]] * 5_000) + b"]"
    with FaultProxy(mixpanel.url) as proxy, requests.Session() as session:
        session.trust_env = False
        for data in (body, (body[at : at + 10_000] for at in range(0, len(body), 10_000))):
            answer = session.post(f"{proxy.url}/track?verbose=1", data=data, timeout=5)
            assert answer.status_code == 413, answer.text
            assert "Content-Length" in answer.headers
