"""A foreign value in a key that only some settlements write to stops them untouched."""

import pytest

from mixrelay.shared.errors import WrongKeyType
from mixrelay.shared.queue import Lane, Limits, Park, Pause, PauseKind, Settlement
from tests.support.bench import DESTINATION, Bench, event, update

ONE = Limits(records=1, linger_seconds=0)
CORNERED = Park("500", status=500, counts=True, cornered=True)


def refuses(bench: Bench, batch, settlement: Settlement) -> None:
    before = bench.dump()
    with pytest.raises(WrongKeyType, match="Nothing was changed"):
        bench.queue.settle(batch, settlement)
    assert bench.dump() == before


@pytest.mark.parametrize("name", ["batch", "dead:reason:exhausted", "dead:status:500"])
def test_a_foreign_value_in_a_rivals_key_stops_the_trials_settlement_untouched(
    bench: Bench, name: str
) -> None:
    bench.route(update("p"), update("q"))
    head = bench.take_read(Lane.PROFILE_UPDATE, limits=ONE)
    bench.park(head, CORNERED)
    trial = bench.take_read(Lane.PROFILE_UPDATE, limits=ONE)
    assert trial.rival == head.id
    key = bench.key(f"batch:{head.id}" if name == "batch" else name)
    bench.redis.delete(key)
    bench.redis.set(key, "foreign")
    convicting = Settlement(delivered="all", sent=True, accepted=True, exhausts=trial.rival)
    refuses(bench, trial, convicting)


@pytest.mark.parametrize("name", ["dead:reason:exhausted", "dead:status:500"])
def test_a_foreign_value_in_the_index_of_the_exhausted_stops_a_conviction_untouched(
    bench: Bench, name: str
) -> None:
    bench.route(event("a"))
    pause = Pause(PauseKind.OUTAGE, base_ms=60_000)
    park = Park("500", status=500, pause=pause, counts=True, cornered=True)
    bench.park(bench.take(), park)
    bench.pause_over()
    batch = bench.take()
    bench.redis.hset(bench.key("accepted"), DESTINATION, 10**15)
    bench.redis.set(bench.key(name), "foreign")
    refuses(bench, batch, Settlement(rest=park, sent=True, destination=DESTINATION))
