"""A client of a real cluster whose slots move and whose masters die."""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest
from redis import Redis
from redis.exceptions import (
    AuthenticationError,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from mixrelay.shared.connection import (
    AsyncNodes,
    ClusterAddress,
    certificate_trouble,
    client_options,
    connect,
    masters,
    node_of,
    nodes_at,
    shorten_timeouts,
)
from tests.support.faultproxy import FaultProxy, cut_after, half_open, has, nth
from tests.support.fleet import wait_until
from tests.support.patience import patient, slowness, within
from tests.support.ports import free_port
from tests.support.processes import status_of
from tests.support.redis_cluster import RedisCluster
from tests.support.redis_servers import RedisServer

KEYS = [f"key-{number}" for number in range(30)]


@pytest.fixture(scope="module")
def three() -> Iterator[RedisCluster]:
    """Three masters without replicas, which no test kills."""
    with RedisCluster() as cluster:
        yield cluster


@pytest.fixture
def cluster(three: RedisCluster) -> RedisCluster:
    for server in three.servers:
        server.client.flushall()
    return three


@pytest.fixture
def client(cluster: RedisCluster) -> Iterator[Redis]:
    with connect(cluster.url, timeout=2) as made:
        yield made


@pytest.fixture(scope="module")
def six() -> Iterator[RedisCluster]:
    """Three masters, each with a replica."""
    with RedisCluster(replicas=1) as cluster:
        yield cluster


@pytest.fixture
def replicated(six: RedisCluster) -> Iterator[RedisCluster]:
    """The six with nothing in them; whoever is killed is back for the next test."""
    for server in six.servers:
        if server.client.info("replication")["role"] == "master":
            server.client.flushall()
    yield six
    for server in six.servers:
        if not server.is_running():
            six.restart(server)
    wait_until(six.is_replicated, 20, "replicas that follow")


def calls(server: RedisServer, command: str) -> int:
    """How often a node ran a command or refused it."""
    told = server.client.info("commandstats").get(f"cmdstat_{command}", {})
    return int(told.get("calls", 0)) + int(told.get("rejected_calls", 0))


def test_a_command_goes_to_the_node_of_its_key(cluster: RedisCluster, client: Redis) -> None:
    for key in KEYS:
        client.rpush(key, "one")
        assert client.eval("return redis.call('llen', KEYS[1])", 1, key) == 1
    for server in cluster.servers:
        assert sorted(server.client.keys()) == sorted(
            key.encode() for key in KEYS if cluster.master_of(key) is server
        )
        assert server.client.dbsize() > 0


def test_several_commands_go_out_in_one_piece(cluster: RedisCluster, client: Redis) -> None:
    with client.pipeline(transaction=False) as both:
        both.rpush("a", "one", "two")
        both.lrange("a", 0, -1)
        both.incr("a")
        assert both.execute(raise_on_error=False)[:2] == [2, [b"one", b"two"]]
        both.incr("a")
        with pytest.raises(ResponseError, match="WRONGTYPE"):
            both.execute()
    with pytest.raises(ValueError, match="run a script"):
        client.pipeline()


def test_what_is_a_nodes_own_is_asked_of_the_node_of_a_key(
    cluster: RedisCluster, client: Redis
) -> None:
    for key in KEYS[:5]:
        asked = node_of(client, key).config_get("dir")["dir"]
        assert asked == str(cluster.master_of(key).folder)
    assert client.time()[0] > 0
    assert client.ping()
    assert {node.info()["tcp_port"] for node in masters(client).values()} == {
        server.port for server in cluster.servers
    }


def test_nothing_is_opened_before_the_first_command() -> None:
    with FaultProxy(f"redis://127.0.0.1:{free_port()}") as proxy:
        url = proxy.url.replace("redis://", "redis+cluster://")
        made = connect(url)
        nodes_at(url, timeout=1, connect_timeout=1, max_connections=5)
        assert not proxy._threads[1:]
        with pytest.raises(RedisConnectionError):
            made.ping()
        assert proxy._threads[1:]


def test_a_slot_that_moved_is_found_and_asked_for_no_more_where_it_was(
    cluster: RedisCluster, client: Redis
) -> None:
    client.rpush("a", "one")
    source = cluster.master_of("a")
    cluster.move_slot(cluster.slot_of("a"), to=cluster.other_than(source))
    assert client.rpush("a", "two") == 2
    asked = calls(source, "rpush")
    assert client.rpush("a", "three") == 3
    assert calls(source, "rpush") == asked


def test_while_a_slot_moves_each_key_is_found_where_it_is(
    cluster: RedisCluster, client: Redis
) -> None:
    source, slot = cluster.master_of("a"), cluster.slot_of("a")
    to = cluster.other_than(source)
    client.rpush("a", "one")
    cluster.begin_to_move(slot, to)
    assert client.rpush("a", "two") == 2
    assert client.rpush("{a}new", "one") == 1
    assert (source.client.keys(), to.client.keys()) == ([b"a"], [b"{a}new"])
    assert cluster.move_keys(slot, to) == 1
    assert client.rpush("a", "three") == 3
    with client.pipeline(transaction=False) as both:
        both.lrange("a", 0, -1)
        both.llen("{a}new")
        assert both.execute() == [[b"one", b"two", b"three"], 1]
    cluster.end_move(slot, to)
    assert client.lrange("a", 0, -1) == [b"one", b"two", b"three"]


def test_keys_that_are_apart_are_waited_for(cluster: RedisCluster, client: Redis) -> None:
    source, slot = cluster.master_of("a"), cluster.slot_of("a")
    to = cluster.other_than(source)
    client.set("a", 1)
    cluster.begin_to_move(slot, to)
    with connect(cluster.url, timeout=0.3) as hasty:
        began = time.monotonic()
        with pytest.raises(TryAgainError):
            hasty.mget("a", "{a}b")
        assert 0.3 <= time.monotonic() - began < 1.5 * slowness()
    mover = threading.Timer(0.3, lambda: (cluster.move_keys(slot, to), cluster.end_move(slot, to)))
    mover.start()
    assert client.mget("a", "{a}b") == [b"1", None]
    mover.join(patient(30))


def test_nothing_is_lost_or_done_twice_while_slots_move_to_and_fro(cluster: RedisCluster) -> None:
    keys, answered, over = KEYS[:3], dict.fromkeys(KEYS[:3], 0), threading.Event()
    failures: list[Exception] = []

    def count(key: str, client: Redis) -> None:
        try:
            while not over.is_set():
                assert client.rpush(key, "x") > answered[key]
                answered[key] += 1
        except (RedisError, AssertionError) as error:
            failures.append(error)

    with connect(cluster.url) as client:
        threads = [threading.Thread(target=count, args=(key, client)) for key in keys]
        for thread in threads:
            thread.start()
        for _ in range(5):
            for key in keys:
                source = cluster.master_of(key)
                cluster.move_slot(cluster.slot_of(key), to=cluster.other_than(source))
        over.set()
        for thread in threads:
            thread.join(patient(30))
        assert failures == []
        assert {key: client.llen(key) for key in keys} == answered
        assert min(answered.values()) > 50


@pytest.fixture
def proxied() -> Iterator[tuple[RedisCluster, dict[int, FaultProxy]]]:
    """A cluster that tells its clients of proxies; these by the ports of their servers."""
    with ExitStack() as stack:
        proxies: dict[int, FaultProxy] = {}

        def announced(port: int) -> int:
            proxies[port] = stack.enter_context(FaultProxy(f"redis://127.0.0.1:{port}"))
            return urlsplit(proxies[port].url).port or 0

        yield stack.enter_context(RedisCluster(announced=announced)), proxies


def test_a_command_whose_answer_was_lost_is_not_repeated(
    proxied: tuple[RedisCluster, dict[int, FaultProxy]],
) -> None:
    cluster, proxies = proxied
    server = cluster.master_of("a")
    proxy = proxies[server.port]
    with connect(cluster.url, timeout=1) as client:
        for lost, error in ((cut_after, RedisConnectionError), (half_open, RedisTimeoutError)):
            assert client.delete("a") is not None
            proxy.plan = nth(1, lost, of=has(b"RPUSH"))
            with pytest.raises(error):
                client.rpush("a", "one")
            assert server.client.llen("a") == (lost is cut_after)
            assert client.rpush("a", "two") == 1 + (lost is cut_after)


def test_a_producer_can_tell_what_never_went_out(
    proxied: tuple[RedisCluster, dict[int, FaultProxy]],
) -> None:
    cluster, proxies = proxied
    sent: list[int] = []

    def exchange(connection):  # type: ignore[no-untyped-def]
        sent.append(connection.port)
        connection.send_command("RPUSH", "a", "one")
        return connection.read_response()

    nodes = nodes_at(cluster.url, timeout=1, connect_timeout=1, max_connections=5)
    assert nodes.run("a", exchange) == 1
    server = cluster.master_of("a")
    to = cluster.other_than(server)
    cluster.move_slot(cluster.slot_of("a"), to=to)
    sent.clear()
    assert nodes.run("a", exchange) == 2
    assert len(sent) == 2  # the first was refused: MOVED
    nodes.close()
    proxies[to.port].plan = nth(1, cut_after, of=has(b"RPUSH"))
    sent.clear()
    with pytest.raises(RedisConnectionError):
        nodes.run("a", exchange)
    assert len(sent) == 1  # it went out, and was carried out
    assert to.client.llen("a") == 3
    nodes.close()
    sent.clear()
    away = f"redis+cluster://127.0.0.1:{free_port()}"
    with pytest.raises(RedisConnectionError):
        nodes_at(away, timeout=1, connect_timeout=1, max_connections=5).run("a", exchange)
    assert sent == []  # it never went out


def test_after_a_failover_the_next_command_finds_the_new_master(replicated: RedisCluster) -> None:
    with connect(replicated.url, timeout=1) as client:
        client.rpush("a", "one")
        old = replicated.master_of("a")
        assert node_of(client, "a").wait(1, 2_000) == 1
        new = replicated.fail_over(old)
        with pytest.raises(RedisConnectionError):
            client.rpush("a", "two")
        assert client.rpush("a", "two") == 2
        replicated.restart(old)
        wait_until(replicated.is_replicated, 20, "replicas that follow")
        assert node_of(client, "a").wait(1, 2_000) == 1
        assert replicated.fail_over(new) is old
        wait_until(lambda: answers(client), 5, "a client that found the master again")
        assert client.lrange("a", 0, -1) == [b"one", b"two"]


def test_a_master_that_hangs_holds_nobody_up_once_it_is_replaced(replicated: RedisCluster) -> None:
    with connect(replicated.url, timeout=1) as client:
        client.rpush("a", "one")
        old = replicated.master_of("a")
        assert node_of(client, "a").wait(1, 2_000) == 1
        with old.hung():
            with within(1.5), pytest.raises(RedisTimeoutError):
                client.llen("a")
            wait_until(lambda: answers(client), 20, "a client that found the new master")
            times = []
            for length in (2, 3, 4):
                began = time.monotonic()
                assert client.rpush("a", "more") == length
                times.append(time.monotonic() - began)
            assert min(times) < 0.5, "none asks the one that hangs"
        assert client.lrange("a", 0, -1) == [b"one", *[b"more"] * 3]


def answers(client: Redis) -> bool:
    try:
        return client.llen("a") > 0
    except RedisError:
        return False


def holds_in_a_child(check: Callable[[], bool]) -> bool:
    pid = os.fork()
    if not pid:
        ended_well = False
        try:
            # Ends it where it waits for ever; pytest's own handler would have it go on as pytest.
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(int(patient(10)))
            ended_well = check()
        finally:
            os._exit(not ended_well)
    return status_of(pid) == 0


def test_a_child_makes_connections_of_its_own(cluster: RedisCluster, client: Redis) -> None:
    client.set("a", 1)
    pool = client.nodes.pool_for("a")  # type: ignore[attr-defined]
    mine = node_of(client, "a").client_id()
    assert node_of(client, "a").client_id() == mine

    def is_its_own() -> bool:
        return node_of(client, "a").client_id() != mine and client.get("a") == b"1"

    assert holds_in_a_child(is_its_own)
    assert client.nodes.pool_for("a") is pool  # type: ignore[attr-defined]
    assert node_of(client, "a").client_id() == mine


def test_a_child_of_a_process_that_was_asking_for_slots_is_not_locked_out(
    cluster: RedisCluster,
) -> None:
    client = connect(cluster.url, timeout=1)
    with client.nodes.topology._lock:  # type: ignore[attr-defined]
        assert holds_in_a_child(client.ping)
        assert holds_in_a_child(lambda: len(masters(client)) == len(cluster.servers))
    client.close()


def test_all_nodes_away_is_an_error_within_seconds() -> None:
    ports = [free_port() for _ in range(3)]
    hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
    with (
        connect(f"redis+cluster://ann:secret@{hosts}") as client,
        within(2),
        pytest.raises(RedisConnectionError) as raised,
    ):
        client.ping()
    assert "secret" not in str(raised.value)
    for port in ports:
        assert f"127.0.0.1:{port}" in str(raised.value)


def test_all_nodes_hanging_is_an_error_within_seconds(cluster: RedisCluster) -> None:
    with ExitStack() as stack, connect(cluster.url, timeout=2) as client:
        for server in cluster.servers:
            stack.enter_context(server.hung())
        began = time.monotonic()
        with pytest.raises(RedisConnectionError, match="No node of the cluster can be asked"):
            client.ping()
        assert time.monotonic() - began < 5, "not 2 s for each node"
    wait_until(cluster.agrees, 20, "a cluster that is awake again")


def test_one_node_that_hangs_holds_up_nobody_who_asks_for_slots(cluster: RedisCluster) -> None:
    hanging = cluster.master_of("a")
    key = next(key for key in KEYS if cluster.master_of(key) is not hanging)
    with hanging.hung():
        for _ in range(6):  # whom it asks first is chance
            with connect(cluster.url, timeout=5) as client:
                began = time.monotonic()
                assert client.llen(key) == 0
                assert time.monotonic() - began < 4, "not 5 s for the one that hangs"
    wait_until(cluster.agrees, 20, "a cluster that is awake again")


def test_a_wrong_password_is_told_as_such(cluster: RedisCluster) -> None:
    url = cluster.url.replace("://", "://ann:secret@")
    with connect(url) as client, pytest.raises(AuthenticationError) as raised:
        client.ping()
    assert "secret" not in str(raised.value)
    assert certificate_trouble(raised.value) is None  # its causes come to an end


def test_a_single_server_says_that_it_is_no_cluster(redis_url: str) -> None:
    with (
        connect(redis_url.replace("redis://", "redis+cluster://")) as client,
        pytest.raises(ResponseError, match="is no node of a cluster"),
    ):
        client.ping()


def test_less_patience_holds_for_what_is_open_too(cluster: RedisCluster, client: Redis) -> None:
    client.set("a", 1)
    shorten_timeouts(client, 0.2)
    with cluster.master_of("a").hung():
        began = time.monotonic()
        with pytest.raises(RedisTimeoutError):
            client.get("a")
        assert time.monotonic() - began < 1.8, "not the 2 s that it was opened with"
    wait_until(cluster.agrees, 20, "a cluster that is awake again")


def test_code_that_awaits_follows_slots_too(cluster: RedisCluster) -> None:
    asyncio.run(follow(cluster))


async def follow(cluster: RedisCluster) -> None:
    options = client_options(cluster.url, timeout=1, connect_timeout=1)
    nodes = AsyncNodes(ClusterAddress.parse(cluster.url), options, patience=0, most=5)

    async def exchange(connection):  # type: ignore[no-untyped-def]
        await connection.send_command("RPUSH", "a", "one")
        return await connection.read_response()

    source, slot = cluster.master_of("a"), cluster.slot_of("a")
    to = cluster.other_than(source)
    assert await nodes.run("a", exchange) == 1
    cluster.begin_to_move(slot, to)
    cluster.move_keys(slot, to)
    assert await nodes.run("a", exchange) == 2  # ASK
    cluster.end_move(slot, to)
    assert await nodes.run("a", exchange) == 3  # MOVED
    with to.hung(), pytest.raises(RedisTimeoutError):
        await nodes.run("a", exchange)
    await nodes.close()
    wait_until(cluster.agrees, 20, "a cluster that is awake again")


def test_keys_of_several_nodes_are_refused(cluster: RedisCluster, client: Redis) -> None:
    with pytest.raises(ResponseError, match="hash to the same slot"):
        client.mget("a", "b")
