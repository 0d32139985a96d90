"""What counting the events of each id costs a worker, and whether a hot one is found.

    python -m benchmarks.hot_shards [--messages N]

Events of a million users, of which one has a thousandth of them all. One process does all that a
sender does (`where_time_goes`), in slices that count and slices that do not, in turn, so that
whatever else the machine does meets both alike. Of each kind the better half is compared: what
disturbs only ever adds. Beside that stands the time inside the counting itself, by the same clock.
CPU time is the process's own: Valkey and the sink are others.
"""

import argparse
import gc
import random
import statistics
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import cast

import orjson

from benchmarks import events
from benchmarks.stand import MEASURED_CORE, Stand, pinned, stand
from benchmarks.where_time_goes import Drain
from mixrelay.shared.queue import Queue
from mixrelay.worker.counting.hot_shards import ShardCounts
from mixrelay.worker.counting.shards import Seen, ShardReader
from mixrelay.worker.deliver.bulk_decode import Alike

USERS = 1_000_000
Pairs = list[tuple[bytes, float]]
HOT, HOT_SHARE = "the hot one", 0.001
SLICE = 10_000
FLUSH_EVERY = 6
"""Slices: a worker flushes every half minute, so this is one that drains 2,000 a second."""


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


class Timed(ShardCounts):
    """Counts, and notes the CPU time that it takes."""

    def __init__(self, queue: Queue, reader: "TimedReader") -> None:
        super().__init__(queue, reader)
        self.seconds = 0.0

    def count(self, seen: Iterable[Seen]) -> None:
        began = time.thread_time()
        super().count(seen)
        self.seconds += time.thread_time() - began

    def flush(self, *, at_the_end: bool = False) -> None:
        began = time.thread_time()
        super().flush(at_the_end=at_the_end)
        self.seconds += time.thread_time() - began


class TimedReader(ShardReader):
    """Reads shards, and notes the CPU time that it takes."""

    seconds = 0.0

    def together(self, read: Alike) -> tuple[Seen, ...]:
        began = time.thread_time()
        seen = super().together(read)
        self.seconds += time.thread_time() - began
        return seen


class Measure:
    """Slices that count and slices that do not, in turn."""

    def __init__(self, at: Stand) -> None:
        self._at = at
        self._reader = TimedReader(base=at.sink, token=events.TOKEN)
        self._counts = Timed(at.queue, self._reader)
        self._drains = {
            False: Drain(at.queue, at.sink),
            True: Drain(at.queue, at.sink, self._counts),
        }
        self.micros: dict[bool, list[float]] = {False: [], True: []}
        self.inside: list[float] = []
        self.users: Counter[str] = Counter()

    def warm_up(self) -> None:
        """One slice of each."""
        for counts in self._drains:
            self._slice(counts=counts)
        self.micros, self.inside = {False: [], True: []}, []

    def run(self, rounds: int) -> None:
        """Measures."""
        for at_round in range(rounds):
            for counts in (False, True) if at_round % 2 else (True, False):
                self._slice(counts=counts)
        self._counts.end()

    def close(self) -> None:
        """Closes the connections."""
        for drain in self._drains.values():
            drain.close()

    def _slice(self, *, counts: bool) -> None:
        users: Counter[str] = Counter()
        fill(self._at, SLICE, users)
        gc.collect()
        self._reader.seconds = self._counts.seconds = 0.0
        began = time.process_time()
        self._drains[counts].messages(SLICE)
        if counts and len(self.inside) % FLUSH_EVERY == 0:
            self._counts.flush()
        self.micros[counts].append((time.process_time() - began) / SLICE * 1e6)
        if counts:
            self.users.update(users)
            self.inside.append((self._reader.seconds + self._counts.seconds) / SLICE * 1e6)


def better_half(micros: list[float]) -> float:
    """The mean of the lower half."""
    return statistics.mean(sorted(micros)[: (len(micros) + 1) // 2])


def report(at: Stand, measure: Measure) -> None:
    """Prints what was measured."""
    without, counting = (better_half(measure.micros[counts]) for counts in (False, True))
    pairs = zip(measure.micros[False], measure.micros[True], strict=True)
    difference = statistics.median(after - before for before, after in pairs)
    inside = better_half(measure.inside)
    print(f"{without:8.3f} µs of CPU a drained message without counting")
    print(f"{counting:8.3f} µs with it: {counting / without - 1:+.1%}")
    print(f"{difference:8.3f} µs more, median of {len(measure.inside)} pairs of slices")
    print(f"{inside:8.3f} µs of it inside the counting: {inside / counting:.1%}")
    keys = list(at.redis.scan_iter("*:hot*"))
    used = sum(int(at.redis.memory_usage(key, samples=0) or 0) for key in keys)
    print(f"{used:8} bytes of Redis for {len(measure.users):,} users, in {len(keys)} keys")
    print(f"{counted(at, HOT):8} events counted of the hot user's {measure.users[HOT]}")


def counted(at: Stand, user: str) -> int:
    """What Redis has of a user's events."""
    found = 0
    for key in at.redis.scan_iter("*:hot:[0-9]*"):
        pairs = cast("Pairs", at.redis.zrange(key, 0, -1, withscores=True))
        found += sum(int(count) for name, count in pairs if orjson.loads(name)[-1] == user)
    return found


def main() -> None:
    """Measures and prints."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    options.add_argument("--messages", type=int, default=1_200_000)
    rounds = max(options.parse_args().messages // (2 * SLICE), 1)
    with stand() as at, pinned(MEASURED_CORE):
        measure = Measure(at)
        measure.warm_up()
        measure.run(rounds)
        report(at, measure)
        measure.close()


if __name__ == "__main__":
    main()
