"""How many are tried behind a head that cannot be delivered, and when a trial is none (rule 4)."""

from mixrelay.shared.queue import Lane, Limits, Park
from tests.support.bench import Bench, numbers, update

LANE = Lane.PROFILE_UPDATE
ONE = Limits(records=1, linger_seconds=0)
CORNERED = Park("500", status=500, counts=True, cornered=True)


def test_so_many_profiles_are_tried_behind_a_head_and_no_more(bench: Bench) -> None:
    """Each fails alone for ever, as in an outage: the lane must not be emptied into batches."""
    tried = set()
    for number in range(60):
        bench.route(update(f"p{number}"))
        batch = bench.take_read(LANE, limits=ONE)
        tried.add(batch.id)
        bench.park(batch, CORNERED)
        bench.due()
    assert len(tried) == 1 + 8


def test_a_trial_whose_worker_died_is_no_trial_once_the_head_is_gone(bench: Bench) -> None:
    bench.route(update("p"), update("q"))
    head = bench.take_read(LANE, limits=ONE)
    bench.park(head, CORNERED)
    for _ in range(3):
        trial = bench.take_read(LANE, limits=ONE)
        assert trial.rival == head.id
        bench.die(trial)
    again = bench.take_read(LANE, limits=ONE)
    assert again.id == head.id
    bench.deliver(again)
    after = bench.take_read(LANE, limits=ONE, alone=True)
    assert (numbers(after), after.rival, after.rival_payloads) == (["0-2"], None, ())
