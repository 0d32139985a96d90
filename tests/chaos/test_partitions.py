"""The number of partitions changes while messages are on their way."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mixrelay.producer import Tracker
from mixrelay.sandbox import Sandbox
from mixrelay.shared.partitioning import partition_of_key
from tests.chaos.ledger import Findings, Ledger
from tests.chaos.producing import Producers, inversions
from tests.support.fleet import Fleet, wait_until
from tests.support.traffic import TOKEN

STEPS = (2, 5, 1)
"""Grown, then shrunk."""
THREADS = 4


@pytest.fixture
def fleet(fleet_of: Callable[..., Fleet]) -> Fleet:
    return fleet_of(
        MIXRELAY_BATCH_RECORDS="50",
        MIXRELAY_LINGER="0.05",
        MIXRELAY_LEASE="4",
        MIXRELAY_EXTEND_EVERY="1",
        MIXRELAY_DEADLINE="3",
    )


@pytest.mark.timeout(240)
def test_partitions_come_and_go_under_way(
    fleet: Fleet,
    mixpanel: Sandbox,
    tmp_path: Path,
    size: Callable[[int, int], int],
    tell: Callable[[str, Findings], None],
) -> None:
    mixpanel.fault("latency", seconds=0.3)  # so that much is on its way at each change
    each, workers, waiting = size(600, 6_000), [], []
    with Ledger(fleet.queue, mixpanel) as ledger:
        for partitions in STEPS:
            fresh = fleet.start(2, MIXRELAY_PARTITIONS=str(partitions))
            wait_until(lambda most=partitions: fleet.queue.refresh() >= most, 30, "workers first")
            assert [worker.terminate(30) for worker in workers] == [0] * len(workers)
            workers = fresh
            tracker = Tracker(
                TOKEN,
                redis_url=fleet.environment["MIXRELAY_REDIS_URL"],
                partitions=partitions,
                spool_dir=str(tmp_path / "spool"),
            )
            with Producers(tracker, threads=THREADS, each=each, start=ledger.count) as producers:
                ledger.note(producers.count)
            fleet.queue.refresh()
            waiting.append(fleet.queue.books().waiting)
        workers[0].kill_horse()
        fleet.wait_until_drained(120)
        found = ledger.check()
    moved = {profile for profile in profiles(mixpanel) if not stays(profile)}
    overtaken = inversions(mixpanel.updates)
    print(
        f"{ledger.count} messages, partitions {STEPS}, waiting at each change {waiting}; "
        f"inversions: {sum(overtaken[one] for one in moved)} of {len(moved)} profiles that moved, "
        f"{sum(overtaken[one] for one in overtaken.keys() - moved)} of others"
    )
    tell("the number of partitions changes", found)
    assert min(waiting) > THREADS * each / 10, "with nothing on its way the change proves nothing"
    assert overtaken.keys() <= moved
    assert fleet.queue.books().totals["received"] == ledger.count


def profiles(mixpanel: Sandbox) -> set[str]:
    return {update["$distinct_id"] for update in mixpanel.updates}


def stays(profile: str) -> bool:
    return len({partition_of_key(profile, partitions) for partitions in STEPS}) == 1
