"""The backoff of one batch that fails while others pass (rule 4)."""

from tests.support.bench import DESTINATION, Bench, event, outage

LONG_AGO, LATELY = 1, 10**15


def fails(bench: Bench, *, accepted: int) -> int:
    """The only batch fails once more, others having passed then; returns its wait in seconds."""
    bench.redis.hset(bench.key("accepted"), DESTINATION, accepted)
    bench.pause_over()
    batch = bench.take()
    bench.park(batch, outage(base_ms=8_000))
    seconds, _ = bench.redis.time()
    return round((bench.state(batch.id)["due"] / 1000 - seconds) / 8)


def test_an_outage_of_all_ends_the_backoff_of_one_that_failed_alone(bench: Bench) -> None:
    bench.route(event("a"))
    bench.park(bench.take(), outage())
    assert [fails(bench, accepted=LATELY) for _ in range(4)] == [1, 2, 4, 8]
    fails(bench, accepted=LONG_AGO)
    assert fails(bench, accepted=LATELY) == 1
