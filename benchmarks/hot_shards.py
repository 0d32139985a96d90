"""What counting the events of each id costs a worker, and whether a hot one is found.

    python -m benchmarks.hot_shards [--messages N]

Events of a million users, of which one has a thousandth of them all. One process does all that a
sender does (`where_time_goes`), in slices that count and slices that do not, in turn, so that
whatever else the machine does meets both alike; the garbage collector runs between them. CPU time
is the process's own: Valkey and the sink are others.
"""

import argparse
import gc
import random
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from typing import cast

import orjson

from benchmarks import events
from benchmarks.stand import MEASURED_CORE, Stand, pinned, stand
from benchmarks.where_time_goes import Drain
from mixrelay.worker.hot_shards import FLUSH_SECONDS, ShardCounts
from mixrelay.worker.shards import ShardReader

USERS = 1_000_000
Pairs = list[tuple[bytes, float]]
HOT, HOT_SHARE = "the hot one", 0.001
SLICE = 20_000


_draw = random.Random(1)


def tuples(count: int, users: Counter[str]) -> Iterator[bytes]:
    """Tuples as our producer writes them, each with a user of its own; `users` counts them."""
    draw = _draw
    made = events.tuples()
    placed = [_parted(one) for one in made[:1_000]]
    for at in range(count):
        user = HOT if draw.random() < HOT_SHARE else f"user-{draw.randrange(USERS):07}"
        users[user] += 1
        head, tail = placed[at % len(placed)]
        yield head + user.encode() + tail


def _parted(one: bytes) -> tuple[bytes, bytes]:
    """A tuple around its user."""
    record = orjson.loads(orjson.loads(one)[1])["data"]
    head, _, tail = one.partition(record["properties"]["distinct_id"].encode())
    return head, tail


def fill(at: Stand, count: int, users: Counter[str]) -> None:
    """Queues that many."""
    some: list[bytes] = []
    for one in tuples(count, users):
        some.append(one)
        if len(some) == 1_000:
            at.queue.push(some)
            some = []
    if some:
        at.queue.push(some)


def micros(drain: Drain, count: int) -> float:
    """CPU a message."""
    gc.collect()
    began = time.process_time()
    done = drain.messages(count)
    return (time.process_time() - began) / done * 1e6


def main() -> None:
    """Measures and prints."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    options.add_argument("--messages", type=int, default=800_000)
    rounds = max(options.parse_args().messages // (2 * SLICE), 1)
    with stand() as at, pinned(MEASURED_CORE):
        reader = ShardReader(base=at.sink, token=events.TOKEN)
        counts = ShardCounts(at.queue, reader)
        without, counting = Drain(at.queue, at.sink), Drain(at.queue, at.sink, counts)
        plain, counted, flushes, true = [], [], [], Counter[str]()
        for drain in (without, counting):
            fill(at, SLICE, Counter())
            micros(drain, SLICE)
        counts = counting_counts(counting, counts)
        for at_round in range(rounds):
            first, second = (without, counting) if at_round % 2 else (counting, without)
            for drain in (first, second):
                users: Counter[str] = Counter()
                fill(at, SLICE, users)
                (counted if drain is counting else plain).append(micros(drain, SLICE))
                if drain is counting:
                    true.update(users)
                    began = time.process_time()
                    counts.flush()
                    flushes.append(time.process_time() - began)
        counts.end()
        report(at, plain, counted, flushes, true)
        without.close()
        counting.close()


def counting_counts(_drain: Drain, counts: ShardCounts) -> ShardCounts:
    """What was counted while warming up is flushed."""
    counts.end()
    return counts


def report(
    at: Stand, plain: list[float], counted: list[float], flushes: list[float], true: Counter[str]
) -> None:
    """Prints what was measured."""
    more = statistics.median(after - before for before, after in zip(plain, counted, strict=True))
    base = statistics.median(plain)
    flush = statistics.median(flushes)
    print(f"{base:8.3f} µs of CPU a message without counting, median of {len(plain)} slices")
    print(f"{more:8.3f} µs more with it: {more / base:.1%}")
    print(f"{flush * 1e3:8.3f} ms a flush, each {FLUSH_SECONDS:.0f} s")
    keys = list(at.redis.scan_iter("*:hot*"))
    used = sum(int(at.redis.memory_usage(key, samples=0) or 0) for key in keys)
    print(f"{used:8} bytes of Redis for {len(true):,} users, in {len(keys)} keys")
    scores = {
        orjson.loads(name)[-1]: int(score)
        for key in keys
        if at.redis.type(key) == b"zset"
        for name, score in cast("Pairs", at.redis.zrange(key, 0, -1, withscores=True))
    }
    print(f"{scores.get(HOT, 0):8} events counted of the hot user's {true[HOT]}")


if __name__ == "__main__":
    main()
