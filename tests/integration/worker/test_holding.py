"""Workers and a lane that an operator holds."""

from mixrelay.shared.queue import Lane
from tests.support.works import Works, event, update, wait_until


def test_workers_send_nothing_of_a_held_lane_and_go_on_when_it_is_resumed(works: Works) -> None:
    works.queue.pause(Lane.EVENT, who="ann@ops", why="deploy")
    works.push(event("a"), update("b", **{"$set": {"x": 1}}), event("c"))
    works.drain_while(lambda: works.books.waiting > 2)
    assert works.books.totals["delivered"] == 1
    assert works.books.lanes[Lane.EVENT] == 2
    works.queue.resume(Lane.EVENT, who="ann@ops")
    works.drain()
    assert works.books.totals["delivered"] == 3


def test_a_burst_waits_for_what_lies_in_a_held_lane_and_for_no_empty_one(works: Works) -> None:
    works.queue.pause(Lane.EVENT, who="ann@ops", why="deploy")
    assert works.start("--burst").exit_code(15) == 0
    works.push(event("a"), update("b", **{"$set": {"x": 1}}))
    burst = works.start("--burst")
    wait_until(lambda: works.books.totals["delivered"] == 1, "the other lane is served")
    works.queue.resume(Lane.EVENT, who="ann@ops")
    assert burst.exit_code(20) == 0
    assert (works.books.totals["delivered"], works.books.waiting) == (2, 0)
