"""What waits behind a paused destination stands in nobody's way."""

from mixrelay.shared.queue import Batch, Division, Part
from tests.support.bench import Bench, event, numbers


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
