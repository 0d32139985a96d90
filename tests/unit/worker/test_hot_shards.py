"""Counting ids in one process: bounded, and never too low by more than is said."""

import random
from collections import Counter

import pytest
from redis.exceptions import ConnectionError as Away

from mixrelay.shared.mixpanel.endpoints import token_fingerprint
from mixrelay.shared.queue import Shard
from mixrelay.shared.queue.stats.hot_shards import SHARDS_AT_MOST, Counted
from mixrelay.shared.tuples import Kind, Message
from mixrelay.worker.counting import shards as reading
from mixrelay.worker.counting.hot_shards import PLACES, ShardCounts, compacted
from mixrelay.worker.counting.shards import SAMPLE, Family, Seen, ShardReader

BASE, TOKEN = "https://api.mixpanel.com", "a token"
DAY = 20_787
NOON = DAY * 86_400_000 + 43_200_000
FAMILY = Family(DAY, "distinct_id", token_fingerprint(BASE, TOKEN), "")


class Redis:
    """Adds up what it is given."""

    def __init__(self):
        self.hot, self.calls, self.away, self.total = self, [], False, Counter()
        self.group_keys = frozenset()

    def add(self, counts, group_keys, *, op):
        self.calls.append((op, dict(counts), group_keys))
        if self.away:
            raise Away("away")
        self.total.update({shard.id: count for shard, count in counts.items()})
        return Counted((), self.group_keys)


@pytest.fixture
def redis():
    return Redis()


@pytest.fixture
def counts(redis):
    return ShardCounts(redis, ShardReader(base=BASE, token=TOKEN))


def event(properties):
    record = {"event": "E", "properties": {"token": TOKEN, "time": NOON} | properties}
    return Message(Kind.EVENT, None, record, "")


def users(properties, monkeypatch):
    monkeypatch.setattr(reading, "SAMPLE", 1)
    seen = ShardReader(base=BASE, token=TOKEN).alone(event(properties), NOON)
    return [(one.family, [name for name in one.ids if name]) for one in seen]


@pytest.mark.parametrize(
    ("properties", "ids"),
    [
        ({"distinct_id": "u"}, ["u"]),
        ({"distinct_id": 7}, ["7"]),
        ({"distinct_id": "u", "$user_id": "v"}, ["u"]),
        ({"$user_id": "v", "$device_id": "d"}, ["v"]),
        ({"distinct_id": None, "$distinct_id": "w", "$user_id": "v"}, ["w"]),
        ({"$device_id": "d"}, ["$device:d"]),
        ({"distinct_id": ""}, []),
        ({}, []),
    ],
)
def test_whose_an_event_is(properties, ids, monkeypatch):
    assert users(properties, monkeypatch) == [(FAMILY, ids)]


def test_the_day_is_the_events_own_and_that_of_receipt_without_one(monkeypatch):
    [(family, _)] = users({"time": NOON // 1_000 - 86_400, "distinct_id": "u"}, monkeypatch)
    assert family.day == DAY - 1
    [(family, _)] = users({"time": None, "distinct_id": "u"}, monkeypatch)
    assert family.day == DAY


def test_what_is_large_goes_to_redis_and_what_is_small_stays(counts, redis):
    counts.count([Seen(FAMILY, ["large"] * 8 + ["small"] * 7)])
    counts.flush()
    assert redis.total == {"large": 8 * SAMPLE}
    counts.count([Seen(FAMILY, ["small"])])
    counts.flush()
    assert redis.total == {"large": 8 * SAMPLE, "small": 8 * SAMPLE}


def test_at_the_end_what_is_small_goes_too(counts, redis):
    counts.count([Seen(FAMILY, ["two", "two", "one"])])
    counts.flush()
    counts.end()
    assert redis.total == {"two": 2 * SAMPLE}


def test_redis_is_asked_for_group_keys_once_where_nothing_is_counted(counts, redis):
    counts.flush()
    counts.flush()
    counts.end()
    assert [some for _, some, _ in redis.calls] == [{}]


def test_nobodys_events_are_no_shard(counts, redis):
    counts.count([Seen(FAMILY, [""] * 1_000)])
    counts.end()
    assert redis.total == {}


def test_an_answer_that_was_lost_is_asked_for_again_by_the_same_move(counts, redis):
    redis.away = True
    counts.count([Seen(FAMILY, ["u"] * 20)])
    with pytest.raises(Away):
        counts.flush()
    counts.count([Seen(FAMILY, ["u"] * 30)])
    redis.away = False
    counts.flush()
    counts.flush()
    (first, some, _), (again, same, _), (other, more, _) = redis.calls
    assert first == again != other
    assert some == same
    assert [*some.values(), *more.values()] == [20 * SAMPLE, 30 * SAMPLE]


def test_a_redis_that_is_away_at_the_end_is_not_waited_for(counts, redis):
    redis.away = True
    counts.count([Seen(FAMILY, ["u"] * 20)])
    counts.end()
    assert len(redis.calls) == 1


def test_one_call_is_bounded_and_takes_the_largest(counts, redis):
    counts.count([Seen(FAMILY, [f"u{n}" for n in range(3_000)] * 16 + ["u7"])])
    counts.flush()
    assert len(redis.total) == SHARDS_AT_MOST
    assert redis.total["u7"] == 17 * SAMPLE


def test_a_long_id_is_cut_and_told_apart_by_a_hash(counts, redis):
    names = ["ü" * 300, "ü" * 300 + "x", "half \ud800"]
    counts.count([Seen(FAMILY, names * 20)])
    counts.flush()
    assert len(redis.total) == 3
    assert all(len(Shard(*FAMILY, name).name()) < 260 for name in redis.total)


def test_memory_is_bounded_and_a_hot_id_among_a_million_is_counted_as_well_as_is_said(
    counts, redis
):
    chance, total, true = random.Random(5), 0, 0
    for _ in range(300):
        ids = [f"{chance.randrange(1_000_000)}" for _ in range(1_000)]
        ids[::200] = ["hot"] * 5
        counts.count([Seen(FAMILY, ids)])
        total, true = total + 1_000, true + 5
        assert sum(map(len, counts._counts.values())) <= 2 * PLACES
    counts.end()
    low = (true - total / PLACES - 1) * SAMPLE
    assert low <= redis.total["hot"] <= true * SAMPLE
    assert all(count < 100 for name, count in redis.total.items() if name != "hot")


def test_where_all_are_heavy_the_heaviest_stay():
    """As Misra and Gries have it: nothing is too low by more than was taken from all."""
    names = Counter({f"u{n}": 100 + n % 50 for n in range(2 * PLACES + 1)}) + Counter({"hot": 900})
    [kept] = compacted({FAMILY: names}).values()
    assert 0 < len(kept) <= PLACES
    taken = {names[name] - count for name, count in kept.items()}
    assert len(taken) == 1
    assert taken.pop() <= sum(names.values()) / PLACES


def test_group_keys_are_learned_from_updates_and_from_other_workers(counts, redis, monkeypatch):
    monkeypatch.setattr(reading, "SAMPLE", 1)
    reader = counts.reader
    about = {"company": ["acme", "umbrella"], "team": "red", "distinct_id": "u"}

    def groups():
        return {one.family.group_key: one.ids for one in reader.alone(event(about), NOON)}

    assert groups() == {"": ["u"]}
    record = {"$token": TOKEN, "$group_key": "company", "$group_id": "acme", "$set": {}}
    reader.alone(Message(Kind.GROUP_UPDATE, None, record, ""), NOON)
    assert groups() == {"": ["u"], "company": ["acme", "umbrella"]}
    who = token_fingerprint(BASE, TOKEN)
    redis.group_keys = frozenset({(who, "team"), (who, "company"), ("another", "distinct_id")})
    counts.count([Seen(FAMILY, ["u"])])
    counts.flush()
    assert redis.calls[0][2] == {(who, "company")}
    assert groups() == {"": ["u"], "company": ["acme", "umbrella"], "team": ["red"]}
