"""The one event that all benchmarks queue: 342 bytes of JSON, 415 as our producer queues it."""

import functools
import random
from collections.abc import Iterator

import orjson

from mixrelay.producer import Tracker
from mixrelay.shared.queue import Queue

QUEUE = "mixpanel_queue"
"""The list that our worker, the floors and the loops drain."""
TOKEN = "00112233445566778899aabbccddeeff"
NAME = "Plan Upgraded"
PROPERTIES = {
    "Old Plan": "Business",
    "New Plan": "Premium",
    "Seats": 12,
    "Price": 99.5,
    "Trial": False,
    "Tags": ["web", "spring"],
    "Visits": 12_345,
}
DISTINCT = 20_000
_SEED = 1
_AT_ONCE = 1_000


@functools.cache
def tuples() -> list[bytes]:
    """Twenty thousand of them by our producer; a backlog repeats them, since no sink looks."""
    made: list[bytes] = []
    tracker = Tracker(TOKEN, sink=lambda kind, message: made.append(orjson.dumps([kind, message])))
    for user, properties in _different(DISTINCT):
        tracker.track(user, NAME, properties)
    return made


def _different(count: int) -> Iterator[tuple[str, dict[str, object]]]:
    """Users and properties of the same length, so that they pack no better than real ones."""
    draw = random.Random(_SEED)
    for _ in range(count):
        yield (
            f"user-{draw.randrange(100_000):05}",
            PROPERTIES
            | {
                "Old Plan": draw.choice(["Business", "Personal", "Standard", "Ultimate"]),
                "New Plan": draw.choice(["Premium", "Starter", "Classic", "Compact"]),
                "Seats": draw.randrange(10, 100),
                "Price": draw.randrange(101, 1_000) / 10,
                "Tags": [draw.choice(["web", "app", "api"]), draw.choice(["spring", "summer"])],
                "Visits": draw.randrange(10_000, 100_000),
            },
        )


@functools.cache
def records() -> list[str]:
    """The same events as other libraries queue them: the record's text alone."""
    messages = (orjson.loads(orjson.loads(one)[1]) for one in tuples())
    return [orjson.dumps(message["data"]).decode() for message in messages]


def size() -> float:
    """Bytes of a tuple, on average."""
    return sum(map(len, tuples())) / DISTINCT


def fill(queue: Queue, messages: int) -> None:
    """Pushes so many onto the list."""
    ready = tuples()
    for first in range(0, messages, _AT_ONCE):
        at = first % DISTINCT
        queue.push(ready[at : at + min(_AT_ONCE, messages - first)])
