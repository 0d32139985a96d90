"""Workers are killed and terminated in the middle of their work: nothing is lost."""

from collections.abc import Callable
from random import Random

import pytest

from mixrelay.sandbox import Sandbox
from tests.support.fleet import Fleet, wait_until
from tests.support.traffic import audit, mixed, push

MESSAGES = 100_000
KILLS = 10
GRACE = 20.0


def progress(fleet: Fleet) -> int:
    totals = fleet.queue.books().totals
    return totals["delivered"] + totals["dead"]


def wait_for_progress(fleet: Fleet, share: float) -> None:
    """Until this share of the messages is through, so that deaths are spread over the work."""
    wait_until(lambda: progress(fleet) >= share * MESSAGES, 90, f"{share:.0%} delivered")


@pytest.mark.timeout(400)
def test_nothing_is_lost_when_horses_and_parents_are_killed(
    fleet_of: Callable[..., Fleet], mixpanel: Sandbox, chance: Random
) -> None:
    mixpanel.fault("latency", seconds=0.15)
    fleet = fleet_of(MIXRELAY_LEASE="12", MIXRELAY_EXTEND_EVERY="4", MIXRELAY_DEADLINE="5")
    push(fleet.queue, mixed(MESSAGES))
    fleet.start(2)
    for kill in range(KILLS):
        wait_for_progress(fleet, kill / (KILLS + 2))
        for worker in list(fleet.workers):
            if chance.random() < 0.5:
                worker.kill_horse()
                worker.kill_parents()
            else:
                worker.kill_parents()
            fleet.replace(worker).kill_horse()
    fleet.wait_until_drained(180)
    print(audit(fleet.queue, mixpanel, MESSAGES))


@pytest.mark.timeout(400)
def test_nothing_is_lost_or_sent_twice_when_workers_are_terminated(
    fleet_of: Callable[..., Fleet], mixpanel: Sandbox
) -> None:
    mixpanel.fault("latency", seconds=0.15)
    fleet = fleet_of()
    push(fleet.queue, mixed(MESSAGES))
    fleet.start(2)
    for stop in range(KILLS):
        wait_for_progress(fleet, stop / (KILLS + 2))
        for worker in list(fleet.workers):
            wait_until(lambda worker=worker: worker.horse() is not None, 30, "a horse")
            assert worker.terminate(GRACE) == 0
            fleet.replace(worker)
    fleet.wait_until_drained(120)
    found = audit(fleet.queue, mixpanel, MESSAGES)
    print(found)
    assert found["events folded by their key"] == 0
    assert found["updates sent again"] == 0
    assert found["redelivered"] == 0
