"""What waits behind a paused destination: it stands in nobody's way, and who of it probes."""

import pytest

from mixrelay.shared.queue import Batch, Division, Part
from tests.support.bench import Bench, event, numbers, outage


def test_the_last_of_many_parked_batches_is_found_where_it_can_go_elsewhere(bench: Bench) -> None:
    bench.route(*(event(str(number)) for number in range(101)))
    batch = bench.take()
    names = numbers(batch)
    parts = [Part([name], destination="import/down") for name in names[1:]]
    bench.queue.divide(batch, Division(parts, destination="import/down"))
    # Of equal times the ids decide, as text.
    *_, last = bench.redis.zrange(bench.key("parked:event"), 0, -1)
    bench.change(last.decode(), destination="import/up")
    bench.redis.hset(bench.key("pause:import/down"), "until", 10**15)
    found = [reply.id for _ in range(3) if isinstance(reply := bench.reserve(), Batch)]
    assert found == [last.decode()]


@pytest.mark.parametrize("last", ["a", "b"])
def test_whichever_failed_last_another_one_probes(bench: Bench, last: str) -> None:
    """Both are due at one time, and then their ids decide, which are the workers' claims."""
    taken = {}
    for claim in ("a", "b"):
        bench.route(event(claim))
        taken[claim] = bench.take(claim=claim)
    for claim in sorted(taken, key=lambda claim: claim == last):
        bench.park(taken[claim], outage())
    bench.pause_over()
    probe = bench.take()
    assert probe.probe
    assert probe.id != last
