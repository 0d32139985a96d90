"""Events of each id and day, counted in bounded memory; the limits are Mixpanel's."""

import random
from collections import Counter

import pytest
from redis.exceptions import OutOfMemoryError

from mixrelay.shared.errors import WrongKeyType
from mixrelay.shared.queue import HotShard, Shard
from mixrelay.shared.queue.stats.hot_shards import DISTINCT_ID, GROUP
from tests.support.bench import Bench

CAPACITY = 4_000
TODAY = 20_787
WHO = "0123456789ab"


def user(name: str, day: int = TODAY, who: str = WHO) -> Shard:
    return Shard(day, DISTINCT_ID, who, "", name)


def group(name: str, key: str = "company") -> Shard:
    return Shard(TODAY, GROUP, WHO, key, name)


def levels(bench: Bench, counts: dict[Shard, int]) -> list[tuple[str, int, int]]:
    crossed = bench.queue.hot.add(counts).crossed
    return [(shard.id, shard.count, level) for shard, level in crossed]


def test_an_id_is_listed_from_half_of_its_limit_on(bench: Bench) -> None:
    assert levels(bench, {user("u"): 99_999, user("v"): 10}) == []
    assert bench.queue.books().hot == ()
    assert levels(bench, {user("u"): 1}) == [("u", 100_000, 50)]
    [shard] = bench.queue.books().hot
    assert shard == HotShard("distinct_id", "u", WHO, 100_000, 200_000, "2026-11-30")


def test_each_level_is_told_once(bench: Bench) -> None:
    told = [levels(bench, {user("u"): 30_000}) for _ in range(9)]
    assert [level for one in told for _, _, level in one] == [50, 90, 100]
    assert [bool(one) for one in told] == [
        False,
        False,
        False,
        True,
        False,
        True,
        True,
        False,
        False,
    ]
    assert bench.queue.books().hot[0].count == 270_000


def test_a_group_has_a_limit_of_its_own(bench: Bench) -> None:
    assert levels(bench, {group("acme"): 499_999}) == []
    assert levels(bench, {group("acme"): 1}) == [("acme", 500_000, 50)]
    [shard] = bench.queue.books().hot
    assert (shard.kind, shard.group_key, shard.limit) == ("group", "company", 1_000_000)


def test_days_projects_and_ids_are_told_apart(bench: Bench) -> None:
    counts = {user("u"): 60_000, user("u", day=TODAY - 1): 60_000, user("u", who="other"): 60_000}
    assert levels(bench, counts) == []


def test_asked_twice_it_counts_once(bench: Bench) -> None:
    first = bench.queue.hot.add({user("u"): 100_000}, op="op")
    assert bench.queue.hot.add({user("u"): 100_000}, op="op") == first
    assert bench.queue.books().hot[0].count == 100_000


def test_what_was_counted_the_day_before_counts_too(bench: Bench) -> None:
    """Events that arrive around midnight, or late."""
    bench.queue.hot.add({user("u"): 60_000})
    [key] = [
        key
        for key in bench.redis.scan_iter()
        if key.rpartition(b":")[2].isdigit() and b":hot:" in key
    ]
    root, _, day = key.rpartition(b":")
    bench.redis.rename(key, b"%b:%d" % (root, int(day) - 1))
    assert levels(bench, {user("u"): 40_000}) == [("u", 100_000, 50)]


def test_group_keys_are_learned_for_all_workers_and_bounded(bench: Bench) -> None:
    bench.queue.hot.add({}, frozenset({(WHO, "company")}))
    assert bench.queue.hot.add({}).group_keys == {(WHO, "company")}
    many = frozenset((WHO, f"key {n}") for n in range(200))
    assert len(bench.queue.hot.add({}, many).group_keys) == 64


def test_a_hot_id_is_found_among_more_busy_ids_than_there_are_places(bench: Bench) -> None:
    """Space saving: the count is a bound from below, and too low by the smallest one at most."""
    rng, true = random.Random(7), Counter[str]()
    for _ in range(60):
        counts = {user(f"busy {rng.randrange(12_000)}"): 64 for _ in range(900)}
        counts[user("hot")] = 4_000
        true.update({shard.id: count for shard, count in counts.items()})
        bench.queue.hot.add(counts)
    [key] = list(bench.redis.scan_iter(f"{bench.key('hot')}:2*"))
    assert bench.redis.zcard(key) == CAPACITY
    [shard] = bench.queue.books().hot
    total = sum(true.values())
    assert shard.id == "hot"
    assert true["hot"] - total / CAPACITY <= shard.count <= true["hot"]


@pytest.mark.parametrize("name", ["hot", "hot:groups"])
def test_a_foreign_value_is_not_overwritten(bench: Bench, name: str) -> None:
    bench.redis.rpush(bench.key(name), "foreign")
    before = bench.dump()
    with pytest.raises(WrongKeyType):
        bench.queue.hot.add({user("u"): 1})
    assert bench.dump() == before


def test_a_full_redis_is_not_filled_further(bench: Bench) -> None:
    used = bench.redis.info("memory")["used_memory"]
    before = bench.redis.config_get("maxmemory")["maxmemory"]
    bench.redis.config_set("maxmemory", used // 2)
    try:
        with pytest.raises(OutOfMemoryError):
            bench.queue.hot.add({user("u"): 1})
    finally:
        bench.redis.config_set("maxmemory", before)
