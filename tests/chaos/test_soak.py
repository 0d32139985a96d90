"""Half an hour of steady traffic under random faults: nothing lost, and no memory that grows."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from mixrelay.producer import Tracker
from mixrelay.sandbox import Sandbox
from mixrelay.sandbox.options import Options
from tests.chaos.arrivals import KEPT, Arrivals
from tests.chaos.ledger import Findings, Watch
from tests.chaos.soak_faults import LEASE, Faults
from tests.chaos.soak_figures import Memory, leftovers, tell_messages, tell_redis
from tests.chaos.steady_traffic import Traffic
from tests.support.fleet import Fleet, wait_until
from tests.support.killable import KillableRedis
from tests.support.traffic import TOKEN

MINUTES = float(os.environ.get("MIXRELAY_SOAK_MINUTES", "30"))
BETWEEN_FAULTS = (2.0, 6.0)
WORKERS = 3
GROWTH, ROOM_MIB = 1.15, 4.0
"""What the memory's median may differ by, between the first third and the last."""

STAYS = {"id", "number", "empty_at", "schema", "clock", "accepted", "paces", "totals"}
STAYS |= {"loads", "retention", "audit"}
"""Keys of a queue that has been used and is empty; their size is bounded or told."""


@pytest.fixture
def server() -> Iterator[KillableRedis]:
    running = KillableRedis()
    yield running
    running.close()


@pytest.fixture
def mixpanel() -> Iterator[Sandbox]:
    with Sandbox(Options(keep=KEPT)) as running:
        yield running


@pytest.fixture
def fleet(server: KillableRedis, mixpanel: Sandbox, tmp_path: Path) -> Iterator[Fleet]:
    running = Fleet(
        server.url,
        mixpanel.url,
        tmp_path,
        MIXRELAY_LEASE=str(LEASE),
        MIXRELAY_EXTEND_EVERY="2",
        MIXRELAY_DEADLINE="3",
        MIXRELAY_GRACE="8",
        MIXRELAY_BACKOFF_BASE="0.2",
        MIXRELAY_BACKOFF_CAP="2",
        # Some shifts follow each other even in a short run.
        MIXRELAY_SHIFT=str(min(300.0, MINUTES * 10)),
    )
    running.start(WORKERS)
    yield running
    running.close()


@pytest.mark.soak
@pytest.mark.timeout(MINUTES * 60 + 900)
def test_half_an_hour_of_random_faults_loses_nothing_and_no_memory_grows(
    *,
    server: KillableRedis,
    fleet: Fleet,
    mixpanel: Sandbox,
    tmp_path: Path,
    chance: Random,
    tell: Callable[[str, Findings], None],
) -> None:
    spool = tmp_path / "spool"
    tracker = Tracker(TOKEN, redis_url=server.url, spool_dir=str(spool))
    traffic, memory = Traffic(tracker), Memory(fleet.workers[0])
    arrivals = Arrivals(mixpanel, traffic.sent_at)
    faults = Faults(fleet, server, mixpanel, arrivals, chance)
    watch = Watch(fleet.queue, server.url)
    redis_at_start = server.client.info("memory")["used_memory"]
    arrivals.start()
    watch.start()
    try:
        with traffic.flowing():
            harass(faults, memory)
        empty_spool(traffic, spool)
        faults.end()
        settle(fleet, faults)
    finally:
        arrivals.stop()
        watch.stop()
    lost = arrivals.missing(traffic.count) - faults.discarded
    books = fleet.queue.books()
    tell(
        "soak",
        Findings(
            messages=traffic.count,
            lost=len(lost),
            doubled=arrivals.doubled,
            resent=arrivals.resent,
            books=max(watch.difference, abs(books.difference)),
            stall=watch.stall,
            dead=books.dead,
            redelivered=books.totals["redelivered"],
        ),
    )
    left = leftovers(server.client, fleet.queue.name)
    counted = tracker.counters.as_dict()
    tell_messages(arrivals, faults, memory, counted)
    tell_redis(server.client, redis_at_start, left)
    assert not lost
    assert arrivals.doubled == 0
    assert arrivals.inversions == 0
    assert arrivals.stale() == []
    assert (watch.difference, books.difference) == (0, 0)
    assert (books.waiting, books.dead) == (0, 0)
    assert counted["failed"] == 0
    assert left.keys() <= STAYS
    assert memory.end <= memory.start * GROWTH + ROOM_MIB


def harass(faults: Faults, memory: Memory) -> None:
    """One fault after the other, until the time is over."""
    ends = time.monotonic() + MINUTES * 60
    next_at = time.monotonic() + 10
    while time.monotonic() < ends:
        faults.tick()
        memory.look()
        if time.monotonic() >= next_at:
            faults.next()
            next_at = time.monotonic() + faults.chance.uniform(*BETWEEN_FAULTS)
        time.sleep(0.05)


def empty_spool(traffic: Traffic, folder: Path) -> None:
    """Later calls push what was kept while Redis was away."""

    def is_empty() -> bool:
        traffic.request()
        return not list(folder.glob("*/*.jsonl"))

    wait_until(is_empty, 60, "an empty spool")


def settle(fleet: Fleet, faults: Faults) -> None:
    """Until everything is delivered, the letters too: nothing is wrong with Mixpanel any more."""
    fleet.wait_until_drained(300)
    while fleet.queue.books().dead:
        faults.operator_replays()
        fleet.wait_until_drained(120)
