"""A fleet under a storm: its horses die all the time, and all else happens in between."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from mixrelay.producer import Tracker
from mixrelay.sandbox import Sandbox
from mixrelay.sandbox.options import Options
from mixrelay.shared.queue import LetterFilter
from tests.chaos.arrivals import KEPT, Arrivals
from tests.chaos.ledger import Findings
from tests.chaos.steady_traffic import Traffic
from tests.chaos.storm import DOOMED, Deaths, Storm
from tests.chaos.storm_watch import StormWatch
from tests.support.clocks import Clock, library, redis_with
from tests.support.faultproxy import FaultProxy
from tests.support.fleet import Fleet, wait_until
from tests.support.redis_servers import RedisServer
from tests.support.traffic import TOKEN

REFUSED = "user-13"
"""Whose messages become letters while the storm lasts, and arrive after it."""
ROUNDS = 5
"""Of replaying and discarding, until no letter is left."""
SETTINGS = {
    "MIXRELAY_LINGER": "0.1",
    "MIXRELAY_LEASE": "6",
    "MIXRELAY_EXTEND_EVERY": "2",
    "MIXRELAY_DEADLINE": "4",
    "MIXRELAY_GRACE": "5",
    "MIXRELAY_BACKOFF_BASE": "0.2",
    "MIXRELAY_BACKOFF_CAP": "2",
}


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    return Clock(library(tmp_path), tmp_path / "now", 0)


@pytest.fixture
def servers(clock: Clock) -> Iterator[list[RedisServer]]:
    """A primary and its replica, both by the same clock."""
    with ExitStack() as stack:
        pair = [stack.enter_context(redis_with(clock)) for _ in range(2)]
        for one in pair:
            one.client.config_set("repl-diskless-sync-delay", 0)
        pair[1].follow(pair[0])
        yield pair


@pytest.fixture
def proxy(servers: list[RedisServer]) -> Iterator[FaultProxy]:
    with FaultProxy(servers[0].url) as running:
        yield running


@pytest.fixture
def mixpanel() -> Iterator[Sandbox]:
    with Sandbox(Options(keep=KEPT)) as running:
        yield running


@pytest.fixture
def fleet(proxy: FaultProxy, mixpanel: Sandbox, tmp_path: Path) -> Iterator[Fleet]:
    running = Fleet(proxy.url, mixpanel.url, tmp_path, **SETTINGS)
    yield running
    running.close()


@dataclass(frozen=True, slots=True)
class Form:
    """How long and how hard a storm is."""

    workers: int
    deaths: int
    seconds: int
    rate: int
    """Messages a second."""
    pause: float
    """Seconds between two things that happen, on average."""


SHORT = Form(workers=3, deaths=30, seconds=16, rate=100, pause=1.0)
"""Some 40 s with its beginning and its end, so that `make chaos` and its short form have it."""
LONG = Form(workers=8, deaths=3_000, seconds=600, rate=200, pause=6.0)
FORMS = [
    pytest.param(SHORT, id="short", marks=pytest.mark.timeout(300)),
    pytest.param(LONG, id="long", marks=[pytest.mark.soak, pytest.mark.timeout(2400)]),
]


@pytest.mark.parametrize("form", FORMS)
def test_a_fleet_under_a_storm_loses_nothing_and_says_what_is_so(  # noqa: PLR0917 - fixtures
    servers: list[RedisServer],
    proxy: FaultProxy,
    clock: Clock,
    mixpanel: Sandbox,
    fleet: Fleet,
    tmp_path: Path,
    chance: Random,
    form: Form,
    tell: Callable[[str, Findings], None],
) -> None:
    workers, deaths, seconds = form.workers, form.deaths, form.seconds
    tracker = Tracker(TOKEN, redis_url=proxy.url, spool_dir=str(tmp_path / "spool"), timeout=5)
    traffic = Traffic(tracker, rate=form.rate)
    arrivals = Arrivals(mixpanel, traffic.sent_at)
    rule = mixpanel.fault("reject_distinct_id", match=REFUSED)
    mixpanel.fault("reject_distinct_id", match=DOOMED)
    storm = Storm(fleet, servers, proxy, clock, arrivals, tracker, chance)
    killer = Deaths(fleet, chance, seconds / deaths)
    watch = StormWatch(proxy.url, fleet.queue.name, arrivals.arrived, workers)
    fleet.start(workers)
    traffic.request()
    fleet.wait_until_drained(60)
    for worker in fleet.workers:
        wait_until(lambda worker=worker: "shift_started" in worker.text(), 60, "all workers")  # type: ignore[misc]
    arrivals.start()
    watch.start()
    killer.start()
    try:
        with traffic.flowing():
            ends = time.monotonic() + seconds
            while time.monotonic() < ends or killer.count < deaths:
                time.sleep(chance.uniform(0.5, 1.5) * form.pause)
                storm.next()
        killer.stop()
        empty_spool(traffic, tmp_path / "spool")
        mixpanel.clear_faults(rule)
        settle(fleet, storm)
    finally:
        killer.stop()
        watch.stop()
        arrivals.stop()
    books, counted = fleet.queue.books(), tracker.counters.as_dict()
    found = Findings(
        messages=traffic.count + storm.doomed,
        lost=len(arrivals.missing(traffic.count)),
        doubled=arrivals.doubled,
        resent=arrivals.resent,
        books=max(watch.difference, abs(books.difference)),
        stall=watch.stall,
        dead=books.dead,
        redelivered=books.totals["redelivered"],
    )
    print(f"{killer.count} deaths; {dict(storm.counts)}; {watch.looks} looks, {watch.away} away,")
    print(f"{watch.well} all is well, {watch.suspended} suspended, {watch.unseen} unseen; {found}")
    print(f"{dict(books.totals)} {counted}")
    print("\n".join(watch.lies + watch.silences))
    tell("a fleet under a storm", found)
    assert (found.lost, found.doubled, found.books, found.dead) == (0, 0, 0, 0)
    assert arrivals.inversions == 0
    assert arrivals.stale() == []
    assert (counted["failed"], counted["unanswered"]) == (0, 0)
    assert books.totals["discarded"] == storm.doomed
    assert books.totals["delivered"] == traffic.count
    assert watch.silences == []
    assert watch.lies == []


def empty_spool(traffic: Traffic, folder: Path) -> None:
    """Later calls push what was kept while Redis was away."""

    def is_empty() -> bool:
        traffic.request()
        return not list(folder.glob("*/*.jsonl"))

    wait_until(is_empty, 60, "an empty spool")


def settle(fleet: Fleet, storm: Storm) -> None:
    """Until all is delivered, and what is doomed is discarded."""
    storm.wait_for_jobs()
    fleet.wait_until_drained(120)
    for _ in range(ROUNDS):
        if not fleet.queue.letters.count(LetterFilter()):
            return
        storm.letters_replayed()
        storm.doomed_discarded()
        storm.wait_for_jobs()
        fleet.wait_until_drained(120)
