"""Updates of one profile reach Mixpanel in the order in which they were pushed."""

from collections.abc import Callable, Iterator
from random import Random

import pytest

from mixrelay.producer import Tracker
from mixrelay.sandbox import Sandbox
from mixrelay.shared.tuples import write
from tests.support.fleet import Fleet
from tests.support.traffic import TOKEN, push

PROFILES, UPDATES, WORKERS = 200, 200, 4


def interleaved() -> Iterator[bytes]:
    made: list[bytes] = []
    tracker = Tracker(TOKEN, sink=lambda kind, message: made.append(write(kind, message)))
    for number in range(UPDATES):
        for profile in range(PROFILES):
            tracker.people.set(f"profile-{profile}", {"n": number})
        yield from made
        made.clear()


@pytest.mark.timeout(400)
def test_no_update_overtakes_another_of_its_profile(
    fleet_of: Callable[..., Fleet], mixpanel: Sandbox, chance: Random
) -> None:
    seed = chance.randrange(2**32)
    mixpanel.fault("status", endpoint="/engage", status=503, probability=0.2, seed=seed)
    mixpanel.fault("reset_before", endpoint="/engage", probability=0.2, seed=seed + 1)
    fleet = fleet_of(
        MIXRELAY_BATCH_RECORDS="500", MIXRELAY_BACKOFF_BASE="0.1", MIXRELAY_BACKOFF_CAP="0.5"
    )
    push(fleet.queue, interleaved())
    fleet.start(WORKERS)
    fleet.wait_until_drained(300)

    last: dict[str, int] = {}
    inversions = 0
    for update in mixpanel.updates:
        profile, number = update["$distinct_id"], update["$set"]["n"]
        inversions += number < last.get(profile, -1)
        last[profile] = number
    refused = sum(request.fault is not None for request in mixpanel.requests)
    print(f"{PROFILES * UPDATES} updates, {refused} requests failed, {inversions} inversions")
    assert refused > 10, "the faults must have been met for the order to mean anything"
    assert inversions == 0
    assert set(last.values()) == {UPDATES - 1}
    assert len(mixpanel.updates) == PROFILES * UPDATES
    assert fleet.queue.books().difference == 0
