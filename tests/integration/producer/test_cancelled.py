"""A call whose task is cancelled at any moment: its message is out, kept, or told of, and counted.

MIXRELAY_CANCELLED_CALLS=20000 makes a long run of it, MIXRELAY_CANCELLED_SEED=… repeats one.
"""

import asyncio
import gc
import os
import random
from collections import Counter

import orjson
import pytest

from mixrelay.producer import AsyncTracker, DeliveryError
from tests.support.faultproxy import FaultProxy, at_random, cut_after, cut_before, delay

CALLS = int(os.environ.get("MIXRELAY_CANCELLED_CALLS", "1000"))
SEED = int(os.environ.get("MIXRELAY_CANCELLED_SEED") or random.randrange(10**9))
AT_ONCE = 50

# Of a loop that is closed in the midst of something asyncio leaves sockets and coroutines.
pytestmark = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning",
    "ignore::ResourceWarning",
    "ignore::RuntimeWarning",
)


class Call:
    """One block or call: which numbers it has tracked."""

    def __init__(self, tracker, first, size):
        self.tracker, self.numbers, self.began = tracker, range(first, first + size), False

    async def make(self):
        self.began = True
        if len(self.numbers) == 1:
            await self.tracker.track("u", "E", {"n": self.numbers[0]})
            return
        async with self.tracker.batch():
            for number in self.numbers:
                await self.tracker.track("u", "E", {"n": number})


def calls(tracker, of):
    first = 0
    while first < CALLS:
        size = of.choice([1, 1, 1, 5])
        yield Call(tracker, first, size)
        first += size


async def cancelled_at_random(some, of):
    tasks = [asyncio.create_task(call.make()) for call in some]
    for task in of.sample(tasks, len(tasks)):
        if of.random() < 0.7:
            await asyncio.sleep(of.choice([0, 0, 0.0005, 0.002]))
            task.cancel()
    await asyncio.sleep(of.choice([0, 0.001, 0.02]))


def numbers_in(payloads):
    messages = (orjson.loads(orjson.loads(one)[1]) for one in payloads)
    return Counter(one["data"]["properties"]["n"] for one in messages)


def pushed_to(store, partitions):
    names = ["cancelled", *(f"cancelled.{part}" for part in range(1, partitions))]
    return numbers_in(one for name in names for one in store.lrange(name, 0, -1))


def kept_in(folder):
    lines = [line for file in folder.rglob("*.jsonl") for line in file.read_bytes().split(b"\n")]
    return numbers_in(line for line in lines if line.strip())


def run_to_its_end(main):
    asyncio.run(main)


def close_in_the_middle(main):
    """As programs do that close a loop of their own: nothing that is under way is cancelled."""
    loop = asyncio.new_event_loop()
    loop.run_until_complete(main)
    loop.close()
    gc.collect()


@pytest.mark.timeout(240)
@pytest.mark.parametrize("end", [run_to_its_end, close_in_the_middle])
@pytest.mark.parametrize("partitions", [1, 3])
def test_what_is_cancelled_is_out_or_kept_or_told(url, store, spool_dir, end, partitions):
    of, told = random.Random(SEED), []
    print(f"seed {SEED}")
    faults = [cut_before, cut_after, *[delay(seconds / 1000) for seconds in range(1, 8)] * 30]
    with FaultProxy(url, at_random(0.6, faults, SEED)) as proxy:
        tracker = AsyncTracker(
            "token",
            redis_url=proxy.url,
            queue="cancelled",
            error_handler=told.append,
            partitions=partitions,
            spool_dir=spool_dir,
        )
        made, waiting = [], calls(tracker, of)
        while some := [call for _, call in zip(range(AT_ONCE), waiting, strict=False)]:
            made += some
            end(cancelled_at_random(some, of))
        del some
        # The next call, in whatever loop, lets go of those that were closed; so does the end.
        made.append(Call(tracker, CALLS + 10, 1))
        asyncio.run(made[-1].make())
        gc.collect()
        counters = tracker.counters.as_dict()
    tracked = {number for call in made if call.began for number in call.numbers}
    pushed, kept = pushed_to(store, partitions), kept_in(spool_dir)
    lost = tracked - pushed.keys() - kept.keys()
    counted = sum(counters[fate] for fate in ("queued", "spooled", "failed", "dropped"))
    print(f"{len(tracked)} tracked, {len(pushed)} pushed, {len(kept)} kept, {len(lost)} lost")
    print(counters)
    assert pushed.keys() | kept.keys() <= tracked
    assert counted == len(tracked)
    assert len(lost) <= counters["failed"]
    failures = sum(one.count for one in told if isinstance(one, DeliveryError) and not one.spooled)
    assert failures >= counters["failed"]


@pytest.mark.parametrize("end", [run_to_its_end, close_in_the_middle])
@pytest.mark.parametrize("in_batch", [False, True])
def test_a_sink_of_ones_own_that_is_cancelled_is_told_of(end, in_batch):
    told, taken, third = [], [], asyncio.Event()

    async def slow(_kind, _message):
        if len(taken) == 2:
            third.set()
            await asyncio.sleep(60)
        taken.append(1)

    tracker = AsyncTracker("token", slow, told.append)

    async def main():
        task = asyncio.create_task(Call(tracker, 0, 5).make() if in_batch else tracks(tracker, 5))
        await third.wait()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    end(main())
    failed = 3 if in_batch else 1
    assert (tracker.counters.queued, tracker.counters.failed) == (2, failed)
    assert sum(error.count for error in told) == failed
    assert all("cancelled" in str(error) for error in told)


async def tracks(tracker, count):
    for number in range(count):
        await tracker.track("u", "E", {"n": number})
