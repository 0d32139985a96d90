"""Workers are killed and terminated in the middle of their work: nothing is lost."""

from collections.abc import Callable
from random import Random

import pytest

from tests.chaos.ledger import Findings, Ledger
from tests.chaos.partitioned import one_and_several
from tests.support.fleet import Fleet, wait_until

SHORT, FULL = 20_000, 100_000
KILLS = 10
GRACE = 20.0


def progress(fleet: Fleet) -> int:
    totals = fleet.queue.books().totals
    return totals["delivered"] + totals["dead"]


def is_at_work(fleet: Fleet) -> bool:
    """Whether something is in hand, where there is something to do."""
    books = fleet.queue.books()
    return sum(books.leased.values()) > 0 or books.waiting == 0


def wait_for_progress(fleet: Fleet, messages: float) -> None:
    """Until so many messages are through, so that deaths are spread over the work."""
    wait_until(lambda: progress(fleet) >= messages, 90, f"{messages:.0f} delivered")


@pytest.mark.timeout(400)
@one_and_several
def test_nothing_is_lost_when_horses_and_parents_are_killed(
    fleet_of: Callable[..., Fleet],
    ledger: Ledger,
    chance: Random,
    size: Callable[[int, int], int],
    tell: Callable[[str, Findings], None],
) -> None:
    messages, kills = size(SHORT, FULL), size(4, KILLS)
    ledger.mixpanel.fault("latency", seconds=0.5)
    fleet = fleet_of(
        MIXRELAY_LEASE="12",
        MIXRELAY_EXTEND_EVERY="4",
        MIXRELAY_DEADLINE="5",
        # So that there is work to be killed at until the last of them.
        MIXRELAY_BATCH_RECORDS="200",
        MIXRELAY_CONCURRENCY="4",
    )
    ledger.push(messages)
    fleet.start(2)
    for kill in range(kills):
        wait_for_progress(fleet, messages * kill / (kills + 2))
        for worker in list(fleet.workers):
            wait_until(lambda: is_at_work(fleet), 60, "a batch in hand")
            if chance.random() < 0.5:
                worker.kill_horse()
                worker.kill_parents()
            else:
                worker.kill_parents()
            fleet.replace(worker).kill_horse()
    fleet.wait_until_drained(180)
    found = ledger.check()
    assert found.redelivered > 0, "some were killed while they held something"
    tell("SIGKILL of horses and parents", found)


@pytest.mark.timeout(400)
@one_and_several
def test_nothing_is_lost_or_sent_twice_when_workers_are_terminated(
    fleet_of: Callable[..., Fleet],
    ledger: Ledger,
    size: Callable[[int, int], int],
    tell: Callable[[str, Findings], None],
) -> None:
    messages, stops = size(SHORT, FULL), size(4, KILLS)
    ledger.mixpanel.fault("latency", seconds=0.15)
    fleet = fleet_of()
    ledger.push(messages)
    fleet.start(2)
    for stop in range(stops):
        wait_for_progress(fleet, messages * stop / (stops + 2))
        for worker in list(fleet.workers):
            wait_until(lambda worker=worker: worker.horse() is not None, 30, "a horse")
            assert worker.terminate(GRACE) == 0
            fleet.replace(worker)
    fleet.wait_until_drained(120)
    found = ledger.check()
    tell("SIGTERM, as a deploy does", found)
    assert not ledger.mixpanel.duplicates
    assert found.resent == 0
    assert found.redelivered == 0
