"""Redis's own clock is set while workers run: back, ahead, and 65 minutes from all others."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mixrelay.sandbox import Sandbox
from mixrelay.shared.connection import connect
from mixrelay.shared.queue import Queue
from tests.chaos.ledger import Findings, Ledger
from tests.support.clocks import Clock, library, redis_with
from tests.support.fleet import Fleet, wait_until
from tests.support.patience import within

Tell = Callable[[str, Findings], None]

SETTINGS = {
    "MIXRELAY_LEASE": "4",
    "MIXRELAY_EXTEND_EVERY": "1",
    "MIXRELAY_DEADLINE": "2.5",
    "MIXRELAY_GRACE": "3",
    "MIXRELAY_LINGER": "0.05",
    "MIXRELAY_BATCH_RECORDS": "20",
    "MIXRELAY_BACKOFF_BASE": "1",
    "MIXRELAY_BACKOFF_CAP": "1",
    "MIXRELAY_PROVE_TOKENS": "off",
}
HOUR = 3600


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    return Clock(library(tmp_path), tmp_path / "now", 0)


@pytest.fixture
def redis_url(clock: Clock) -> Iterator[str]:
    with redis_with(clock) as server:
        yield server.url


@pytest.fixture
def fleet(redis_url: str, mixpanel: Sandbox, tmp_path: Path) -> Iterator[Fleet]:
    running = Fleet(redis_url, mixpanel.url, tmp_path, **SETTINGS)
    yield running
    running.close()


@pytest.fixture
def ledger(redis_url: str, mixpanel: Sandbox) -> Iterator[Ledger]:
    with Ledger(Queue(connect(redis_url)), mixpanel, redis_url) as opened:
        yield opened
        opened.queue.redis.close()


def untimed(number: int) -> bytes:
    data = {"event": "Untimed", "properties": {"distinct_id": "u", "token": "t", "n": number}}
    return json.dumps(["event", json.dumps({"data": data})]).encode()


def timed(number: int) -> bytes:
    inner = {"distinct_id": "u", "token": "t", "n": number, "time": round(time.time() * 1000)}
    return json.dumps(
        ["event", json.dumps({"data": {"event": "Timed", "properties": inner}})]
    ).encode()


@pytest.mark.timeout(180)
def test_a_clock_that_is_set_back_makes_no_wait_longer(
    fleet: Fleet, ledger: Ledger, clock: Clock, tell: Tell
) -> None:
    outage = ledger.mixpanel.fault("status", status=503)
    workers = fleet.start(2)
    ledger.push(100)
    wait_until(lambda: len(fleet.queue.books().paused) > 2, 30, "pauses")
    clock.set(-600)
    ledger.push(50)
    wait_until(lambda: "clock_steps" in fleet.queue.books().totals, 20, "it is seen")
    ledger.mixpanel.clear_faults(outage)
    with within(15):
        fleet.wait_until_drained(60)
    said = "clock_step: Redis's clock was set back by"
    wait_until(lambda: any(said in one.text() for one in workers), 20, "it is said")
    tell("Redis's clock is set back by 10 minutes", ledger.check())


@pytest.mark.timeout(180)
def test_a_clock_that_is_set_ahead_ends_no_live_lease(
    fleet: Fleet, ledger: Ledger, clock: Clock, tell: Tell
) -> None:
    ledger.mixpanel.fault("latency", seconds=1.0)
    workers = fleet.start(2)
    ledger.push(100)
    wait_until(lambda: sum(fleet.queue.books().leased.values()) > 20, 30, "leases")
    # Those who watch have watched for two seconds by now.
    time.sleep(3.5)
    for step in range(1, 3):
        ledger.push(40)
        wait_until(lambda: sum(fleet.queue.books().leased.values()) > 0, 30, "leases")
        clock.set(step * 600)
        wait_until(
            lambda step=step: fleet.queue.books().totals.get("clock_steps", 0) >= step,  # type: ignore[misc]
            20,
            "it is seen",
        )
    fleet.wait_until_drained(60)
    found = ledger.check()
    assert (found.redelivered, found.resent) == (0, 0)
    assert "clock_step" in "".join(worker.text() for worker in workers)
    tell("Redis's clock is set ahead by 10 minutes, twice", found)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("apart", [-65 * 60, 65 * 60])
def test_a_clock_that_is_apart_by_65_minutes_buries_nothing(
    fleet: Fleet, ledger: Ledger, clock: Clock, apart: int, tell: Tell
) -> None:
    clock.set(apart)
    for first in range(0, 500, 2):
        fleet.queue.push([untimed(first), timed(first + 1)])
    ledger.note(500)
    [worker] = fleet.start(1)
    fleet.wait_until_drained(60)
    found = ledger.check()
    assert found.dead == 0
    assert len(ledger.mixpanel.events) == 500
    now = time.time()
    sent = [one for one in ledger.mixpanel.events if one["event"] == "Timed"]
    assert all(abs(now - one["properties"]["time"] / 1000) < 120 for one in sent), "as they said"
    assert "clock_skew" in worker.text()
    tell("Redis's clock is 65 minutes apart from all others", found)
