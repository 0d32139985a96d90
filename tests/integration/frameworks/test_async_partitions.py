"""A queue of several lists for code that awaits: on one server, and on a real cluster."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from mixrelay.producer import ConfigurationError, QueueUnavailableError, Tracker
from mixrelay.producer.push.async_sink import AsyncRedisSink
from mixrelay.shared.partitioning import partition_of_key
from tests.support.patience import patient
from tests.support.redis_cluster import RedisCluster

LISTS = ["q", "q.1", "q.2", "q.3", "q.4", "q.5"]
USERS = [f"user-{number}" for number in range(24)]


@pytest.fixture(autouse=True)
def spool(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("MIXRELAY_SPOOL_DIR", str(tmp_path / "spool"))
    return tmp_path / "spool"


@pytest.fixture
def cluster() -> Iterator[RedisCluster]:
    with RedisCluster(3) as made:
        yield made


def numbers(clients: dict[str, Redis]) -> dict[str, list[int]]:
    """Each user's numbers, in the order of its list."""
    found: dict[str, list[int]] = {user: [] for user in USERS}
    for index, name in enumerate(LISTS):
        for payload in clients[name].lrange(name, 0, -1):
            record = json.loads(json.loads(payload)[1])["data"]
            if "$add" in record:
                user = record["$distinct_id"]
                assert partition_of_key(user, len(LISTS)) == index
                found[user].append(record["$add"]["n"])
    return found


def of_cluster(cluster: RedisCluster) -> dict[str, Redis]:
    return {name: cluster.master_of(name).client for name in LISTS}


def test_each_profile_has_one_list_and_a_batch_is_a_push_for_each(
    redis_url: str, redis: Redis
) -> None:
    async def main() -> None:
        async with AsyncRedisSink(redis_url, "q", partitions=len(LISTS), timeout=5) as sink:
            tracker = Tracker("token", sink=sink)
            for user in USERS:
                assert await tracker.people.increment(user, {"n": 0}) is True
            redis.config_resetstat()
            async with tracker.batch():
                for number in range(1, 5):
                    for user in USERS:
                        await tracker.people.increment(user, {"n": number})
            assert sink.counters.queued == 5 * len(USERS)

    asyncio.run(main())
    assert redis.info("commandstats")["cmdstat_rpush"]["calls"] == len(LISTS)
    assert numbers(dict.fromkeys(LISTS, redis)) == {user: [*range(5)] for user in USERS}


def test_a_name_that_cannot_have_partitions_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="hash tag"):
        AsyncRedisSink(queue="{q}", partitions=2)


def test_while_slots_move_every_increment_arrives_once_and_in_order(cluster: RedisCluster) -> None:
    over = asyncio.Event()
    pushed = dict.fromkeys(USERS, 0)

    async def push(tracker: Tracker[object], user: str) -> None:
        while not over.is_set():
            assert await tracker.people.increment(user, {"n": pushed[user]}) is True  # type: ignore[misc]
            pushed[user] += 1

    async def main() -> None:
        async with AsyncRedisSink(cluster.url, "q", partitions=len(LISTS), timeout=2) as sink:
            tracker = Tracker("token", sink=sink)
            tasks = [asyncio.create_task(push(tracker, user)) for user in USERS]
            for name in LISTS[:3]:
                slot = cluster.slot_of(name)
                target = cluster.other_than(cluster.at_slot(slot))
                await asyncio.to_thread(cluster.move_slot, slot, target)
            over.set()
            await asyncio.gather(*tasks)
            assert sink.counters.queued == sum(pushed.values())

    asyncio.run(main())
    assert min(pushed.values()) > 0
    assert numbers(of_cluster(cluster)) == {user: [*range(pushed[user])] for user in USERS}


def test_nodes_that_are_all_away_are_an_outage(cluster: RedisCluster) -> None:
    heard: list[Exception] = []

    async def main() -> None:
        async with AsyncRedisSink(cluster.url, "q", heard.append, partitions=len(LISTS)) as sink:
            tracker = Tracker("token", sink=sink)
            assert await tracker.people.increment("user-1", {"n": 0}) is True
            for server in cluster.servers:
                server.kill()
            async with asyncio.timeout(patient(3)):
                for number in range(1, 20):
                    assert await tracker.people.increment("user-1", {"n": number}) is True
            assert sink.counters.spooled == 19

    asyncio.run(main())
    assert isinstance(heard[0], QueueUnavailableError)
