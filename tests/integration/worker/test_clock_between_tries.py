"""Redis's clock is set between two tries of a message: to Mixpanel it stays one event.

What an event's time becomes where it has none, or one that is ahead, depends on clocks. Decided
anew at each try it would change, and with it the key by which Mixpanel folds copies.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mixrelay.sandbox import Sandbox
from mixrelay.shared.connection import connect
from mixrelay.shared.queue import Queue
from tests.support.clocks import Clock, library, redis_with
from tests.support.works import TOKEN, Works, event, message

MINUTES = 60


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Clock:
    folder = tmp_path_factory.mktemp("clock")
    return Clock(library(folder), folder / "now", 0)


@pytest.fixture(scope="module")
def stepping(clock: Clock) -> Iterator[str]:
    with redis_with(clock) as server:
        yield server.url


@pytest.fixture
def works(stepping: str, box: Sandbox, tmp_path: Path) -> Iterator[Works]:
    with connect(stepping, timeout=5) as redis:
        redis.flushall()
        running = Works(stepping, Queue(redis), box, tmp_path)
        yield running
        running.end()


def some(user: str) -> list[bytes]:
    """An event of each kind of time, by itself and in a list."""
    now = round(time.time() * 1000)
    times = {"now": now, "seconds": now // 1000, "soon": now + 15 * MINUTES * 1000, "none": None}
    listed = [
        {"event": name, "properties": {"token": TOKEN, "distinct_id": f"{user} listed"}}
        for name in times
    ]
    for one, moment in zip(listed, times.values(), strict=True):
        one["properties"] |= {"time": moment} if moment else {}  # type: ignore[operator]
    return [
        *[event(f"{user} {name}", time=moment) for name, moment in times.items()],
        message("event", listed),
    ]


@pytest.mark.parametrize(
    "steps",
    [(-10, 0), (0, -10), (10, 0), (0, 10), (-65, 0), (0, -65), (65, 0), (0, 65), (-10, 10, -10)],
)
def test_a_message_stays_one_event_however_the_clock_is_set(
    works: Works, clock: Clock, steps: tuple[int, ...]
) -> None:
    lost = works.box.fault("reset_after")
    for number, step in enumerate(steps):
        clock.set(step * MINUTES)
        # The first came before the step, and waits with its first try behind it.
        works.push(*some(str(number)))
        seen = len(works.box.requests)
        works.drain_while(lambda seen=seen: len(works.box.requests) < seen + 2)  # type: ignore[misc]
    works.box.clear_faults(lost)
    works.drain()
    assert works.books.dead == 0
    assert len(works.box.events) == 8 * len(steps)
    assert len(works.box.duplicates) > 0
