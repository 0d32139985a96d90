"""What real clients queue, in eight kinds; of each some twenty thousand different tuples.

What they have of a client's form is taken from its samples (`tests/data/README.md`); values are
drawn anew for each, since no two of a real stream are alike.
"""

import random
import time
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import orjson

from benchmarks import events
from mixrelay.producer import Tracker

DISTINCT = 20_000
_SEED = 7
_DAY = 86_400
_OLD_SHARE = 0.05
_ODD_ONE_IN = 100

Draw = random.Random
Make = Callable[[Draw, int], Iterator[bytes]]


@cache
def tuples(name: str) -> list[bytes]:
    """Those of one kind."""
    return list(KINDS[name](random.Random(_SEED), DISTINCT))


def _tracked(call: Callable[[Tracker, Draw, int], None]) -> Make:
    """What our producer writes for a call."""

    def make(draw: Draw, count: int) -> Iterator[bytes]:
        made: list[bytes] = []
        tracker = Tracker(
            events.TOKEN, sink=lambda kind, message: made.append(orjson.dumps([kind, message]))
        )
        for at in range(count):
            call(tracker, draw, at)
        yield from made

    return make


def _written(kind: str, record: dict[str, Any], **more: str) -> bytes:
    return orjson.dumps([kind, orjson.dumps({"data": record} | more).decode()])


def _user(draw: Draw) -> str:
    return f"user-{draw.randrange(100_000):05}"


def _properties(draw: Draw) -> dict[str, Any]:
    return events.PROPERTIES | {
        "Old Plan": draw.choice(["Business", "Personal", "Standard", "Ultimate"]),
        "Seats": draw.randrange(10, 100),
        "Price": draw.randrange(101, 1_000) / 10,
        "Visits": draw.randrange(10_000, 100_000),
    }


def _event(tracker: Tracker, draw: Draw, _at: int) -> None:
    tracker.track(_user(draw), events.NAME, _properties(draw))


def _set(tracker: Tracker, draw: Draw, _at: int) -> None:
    fields = {"Plan": draw.choice(["Premium", "Starter"]), "Seats": draw.randrange(10, 100)}
    tracker.people.set(_user(draw), fields | {"Company": f"Company {draw.randrange(1_000)}"})


def _add(tracker: Tracker, draw: Draw, _at: int) -> None:
    tracker.people.increment(_user(draw), {"Visits": draw.randrange(1, 10), "Points": 1.5})


def _cart(tracker: Tracker, draw: Draw, _at: int) -> None:
    items = [
        {
            "sku": f"SKU-{draw.randrange(10_000)}",
            "price": draw.randrange(100) / 4,
            "tags": ["a", "b"],
        }
        for _ in range(draw.randrange(1, 5))
    ]
    shipping = {"city": "Dublin", "method": "post", "days": draw.randrange(1, 9)}
    properties = {"Cart": items, "Shipping": shipping, "Total": draw.randrange(1_000) / 4}
    tracker.track(_user(draw), "Order Placed", properties)


def _some_in_seconds(tracker: Tracker, draw: Draw, at: int) -> None:
    more = {} if at % _ODD_ONE_IN else {"time": int(time.time())}
    tracker.track(_user(draw), events.NAME, _properties(draw) | more)


def _of_web(tracker: Tracker, draw: Draw, at: int) -> None:
    share = draw.random()
    call = _event if share < 0.70 else _set if share < 0.95 else _add
    call(tracker, draw, at)


def _ruby_event(draw: Draw, when: float) -> dict[str, Any]:
    fixed = {"distinct_id": _user(draw), "token": events.TOKEN, "time": when}
    library = {"mp_lib": "ruby", "$lib_version": "3.3.0"}
    return {"event": events.NAME, "properties": fixed | library | _properties(draw)}


def _ruby(draw: Draw, count: int) -> Iterator[bytes]:
    now = int(time.time() * 1000)
    for at in range(count):
        yield _written("event", _ruby_event(draw, now - count + at))


def _several(draw: Draw, count: int) -> Iterator[bytes]:
    """Ruby's library in seconds and milliseconds, Python's in parts of a second, imports."""
    now = time.time()
    forms: list[Callable[[float], float]] = [int, float, lambda when: int(when * 1000)]
    for _ in range(count):
        old = draw.random() < _OLD_SHARE
        when = now - (draw.uniform(6, 30) * _DAY if old else draw.uniform(0, 600))
        record = _ruby_event(draw, draw.choice(forms)(when))
        if draw.random() < 0.2:
            yield _written("import", record, api_key="KEY")
        else:
            yield _written("event", record)


KINDS: dict[str, Make] = {
    "our own plain events": _tracked(_event),
    "events of Ruby's library, without $insert_id": _ruby,
    "profile updates ($set)": _tracked(_set),
    "increments ($add)": _tracked(_add),
    "events with a cart": _tracked(_cart),
    "our own, one in a hundred in seconds": _tracked(_some_in_seconds),
    "a web application": _tracked(_of_web),
    "several clients": _several,
}
