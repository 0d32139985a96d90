"""Tracking calls that an application's endings interrupt at random moments: a program to be run.

python -m tests.support.interrupting URL SPOOL CALLS SEED sync|batch|async|awaited|awaited-batch

Signal handlers raise what Celery, RQ, the interpreter and applications raise, wherever a call is at
that moment, before a Redis whose proxy is slow and now and then cuts. Prints what it found as JSON.
"""

import asyncio
import json
import random
import signal
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import orjson
from billiard.exceptions import SoftTimeLimitExceeded
from redis import Redis
from rq.timeouts import JobTimeoutException

from mixrelay.producer import DeliveryError, Tracker
from mixrelay.producer.push.async_sink import AsyncRedisSink
from tests.support.faultproxy import FaultProxy, at_random, cut_after, cut_before, delay

QUEUE = "interrupted"

REACHED = ("_push_or_keep", "sink.py")
"""From here on a message is kept, whatever comes; earlier than that the call has only begun."""


class Interruption(Exception):
    """An application's own."""


class Timeout(BaseException):
    """As gevent's."""


KINDS = (
    SoftTimeLimitExceeded,
    JobTimeoutException,
    TimeoutError,
    Interruption,
    KeyboardInterrupt,
    SystemExit,
    Timeout,
    asyncio.CancelledError,
)


SWALLOWING = ("importlib", "redis/observability")
"""An import takes any OSError for a file that is not there; redis-py's metrics take any Exception
for theirs. What comes there goes no further, whoever calls."""


MACHINERY = (
    "/asyncio/",
    "/concurrent/",
    "threading.py",
    "selectors.py",
    "contextlib.py",
    "weakref",
)
"""Raised in there, an exception breaks the event loop itself, whoever calls: a task's step is gone,
or a lock stays taken. asyncio has its own handler of SIGINT for that reason."""


class Alarm:
    """Raises one of the kinds, once, some time after it was set."""

    is_awaited = False

    def __init__(self, of):
        self._of = of
        self.raised = None
        signal.signal(signal.SIGALRM, self.ring)
        # What rings inside of a finalizer goes nowhere, as Python has it.
        sys.unraisablehook = lambda unraisable: setattr(self, "raised", None)

    def set(self, most):
        self.raised = None
        signal.setitimer(signal.ITIMER_REAL, self._of.uniform(1e-6, most))

    def ring(self, _number, frame):
        inner = frame.f_code.co_filename if frame is not None else ""
        if self.is_awaited and any(part in inner for part in MACHINERY):
            signal.setitimer(signal.ITIMER_REAL, 0.0002)
            return
        if any(part in one for one in files(frame) for part in SWALLOWING):
            signal.setitimer(signal.ITIMER_REAL, 0.0002)
            return
        self.raised = self._of.choice(KINDS)("rings")
        raise self.raised

    @staticmethod
    def stop():
        signal.setitimer(signal.ITIMER_REAL, 0)


def files(frame):
    while frame is not None:
        yield frame.f_code.co_filename
        frame = frame.f_back


def went_through(error, function, file):
    """Whether an exception came up through a function."""
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if code.co_name == function and code.co_filename.endswith(file):
            return True
        trace = trace.tb_next
    return False


class Found:
    def __init__(self):
        self.swallowed, self.strange, self.confused = [], [], []
        self.due, self.maybe = set(), set()
        self.calls, self.interrupted, self.longest = 0, 0, 0.0

    def hear(self, error):
        """Of the proxy's cuts; what is lost is counted as failed."""
        if not isinstance(error, DeliveryError):
            self.strange.append(error)


def interrupt(url, spool, calls, of, *, manner, found, direct):
    tracker = Tracker(
        "token", redis_url=url, queue=QUEUE, spool_dir=spool, error_handler=found.hear
    )
    alarm = Alarm(of)
    for number in range(calls):
        names = [f"E{number}.{part}" for part in range(3 if manner == "batch" else 1)]
        # Else all that follows a cut would be over before Redis is tried again.
        time.sleep(tracker._outlet._sink.lists.first.breaker.seconds_left)
        began = time.monotonic()
        try:
            alarm.set(of.choice([0.001, 0.01, 0.1]))
            call(tracker, manner, names)
            alarm.stop()
            if alarm.raised is not None:
                found.swallowed.append(repr(alarm.raised))
            found.due.update(names)
        except BaseException as error:  # noqa: BLE001 - whatever rang
            alarm.stop()
            found.interrupted += 1
            if type(error) is not type(alarm.raised):  # a codec makes another one of it
                found.strange.append(error)
            reached = went_through(error, *REACHED)
            (found.due if reached else found.maybe).update(names)
        found.longest = max(found.longest, time.monotonic() - began)
        found.calls += 1
        if number % 10 == 0:
            check_replies(tracker, direct, found)
    return tracker.counters.as_dict()


def call(tracker, manner, names):
    if manner == "sync":
        assert tracker.track("user", names[0]) is True
        return
    with tracker.batch():
        for name in names:
            assert tracker.track("user", name) is True


def check_replies(tracker, direct, found):
    """A connection left in the middle of an exchange would now answer another's question."""
    try:
        length = tracker._outlet._sink.push(b'["event","{}"]')
    except Exception:  # noqa: BLE001 - the proxy cut it
        return
    if length != direct.llen(QUEUE):
        found.confused.append(length)


def interrupt_awaited(url, spool, calls, of, found):
    sink = AsyncRedisSink(url, QUEUE, found.hear, spool_dir=spool)
    tracker = Tracker("token", sink=sink)
    numbers = iter(range(calls))

    async def one(number):
        found.calls += 1
        found.due.add(f"E{number}.0")
        await tracker.track("user", f"E{number}.0")

    async def some():
        tasks = [
            asyncio.create_task(one(number)) for _, number in zip(range(20), numbers, strict=False)
        ]
        await asyncio.sleep(of.choice([0, 0.001, 0.01, 0.05]))
        for task in of.sample(tasks, len(tasks) // 4):
            found.interrupted += task.cancel()
        await asyncio.sleep(of.choice([0, 0.001, 0.01, 0.05]))
        found.interrupted += sum(not task.done() for task in tasks)

    while found.calls < calls * 0.9:
        asyncio.run(some())
    return sink.counters.as_dict()


class Awaited:
    """Awaited calls in one event loop, which an alarm interrupts wherever that is."""

    def __init__(self, url, spool, found):
        self.sink = AsyncRedisSink(url, QUEUE, found.hear, spool_dir=spool, partitions=3)
        self.tracker = Tracker("token", sink=self.sink)
        self.loop = asyncio.new_event_loop()

    def call(self, names, *, in_batch):
        self.loop.run_until_complete(self._call(names, in_batch=in_batch))

    async def _call(self, names, *, in_batch):
        if not in_batch:
            assert await self.tracker.track(names[0], names[0]) is True
            return
        async with self.tracker.batch():
            for name in names:
                assert await self.tracker.track(name, name) is True

    def has_begun(self, error):
        """Whether the sink had the messages as the alarm rang."""
        return went_through(error, "_push_or_keep", "async_sink.py") or any(
            task.get_coro().__name__ == "_each" for task in asyncio.all_tasks(self.loop)
        )

    def tidy(self):
        """End what is left, as asyncio.run does."""
        for _ in range(20):
            left = asyncio.all_tasks(self.loop)
            for task in left:
                task.cancel()
            # What ends a program comes up again through each task that waited for another.
            with suppress(KeyboardInterrupt, SystemExit):
                self.loop.run_until_complete(_all(left))

    def close(self):
        self.loop.run_until_complete(self.sink.aclose())
        self.loop.close()


async def _all(tasks):
    if tasks:
        await asyncio.wait(tasks)


def interrupt_at_alarms(url, spool, calls, of, *, in_batch, found):
    awaited, alarm = Awaited(url, spool, found), Alarm(of)
    alarm.is_awaited = True
    # Nor does what rings in a callback of the loop, as Python has it.
    awaited.loop.set_exception_handler(lambda *_: setattr(alarm, "raised", None))
    for number in range(calls):
        names = [f"E{number}.{part}" for part in range(6 if in_batch else 1)]
        time.sleep(awaited.sink._lists.first.breaker.seconds_left)
        began = time.monotonic()
        try:
            alarm.set(of.choice([0.001, 0.01, 0.1]))
            awaited.call(names, in_batch=in_batch)
            alarm.stop()
            if alarm.raised is not None:
                found.swallowed.append(repr(alarm.raised))
            found.due.update(names)
        except BaseException as error:  # noqa: BLE001 - whatever rang
            alarm.stop()
            found.interrupted += 1
            if type(error) is not type(alarm.raised):
                found.strange.append(error)
            (found.due if awaited.has_begun(error) else found.maybe).update(names)
            awaited.tidy()
        found.longest = max(found.longest, time.monotonic() - began)
        found.calls += 1
    awaited.close()
    return awaited.sink.counters.as_dict()


def everywhere(url, spool):
    """Return how often each event is in the queue and in the spool."""
    redis = Redis.from_url(url)
    lists = redis.scan_iter(f"*{QUEUE}*", _type="list")
    tuples = [one for name in lists for one in redis.lrange(name, 0, -1)]
    for file in Path(spool).rglob("*.jsonl"):
        tuples += [line for line in file.read_bytes().splitlines() if line.strip()]
    messages = [orjson.loads(orjson.loads(one)[1]) for one in tuples]
    return Counter(one["data"]["event"] for one in messages if "data" in one)


def main(url, spool, calls, seed, manner):
    of, found, calls = random.Random(seed), Found(), int(calls)
    faults = [cut_before, cut_after, *[delay(seconds / 1000) for seconds in range(1, 5)] * 20]
    with FaultProxy(url, at_random(0.4, faults, of.random())) as proxy:
        if manner == "async":
            counters = interrupt_awaited(proxy.url, spool, calls, of, found)
        elif manner.startswith("awaited"):
            counters = interrupt_at_alarms(
                proxy.url,
                spool,
                calls,
                of,
                in_batch=manner == "awaited-batch",
                found=found,
            )
        else:
            counters = interrupt(
                proxy.url, spool, calls, of, manner=manner, found=found, direct=Redis.from_url(url)
            )
    places = everywhere(url, spool)
    print(
        json.dumps(
            {
                "calls": found.calls,
                "interrupted": found.interrupted,
                "longest": found.longest,
                "swallowed": found.swallowed[:5],
                "strange": [repr(one) for one in found.strange[:5]],
                "confused": found.confused[:5],
                "lost": sorted(found.due - places.keys())[:5],
                "due": len(found.due),
                "maybe": len(found.maybe & places.keys()),
                "unknown": sorted(places.keys() - found.due - found.maybe)[:5],
                "twice": sum(count > 1 for count in places.values()),
                "counters": counters,
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
