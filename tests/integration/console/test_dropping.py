"""A drop with workers that go on: what is left is sent, and only that."""

from mixrelay.shared.queue import Lane
from tests.support.console import called
from tests.support.works import Works
from tests.support.works import event as tried
from tests.support.works import update as updated


def test_after_a_drop_workers_send_the_rest_and_only_that(works: Works) -> None:
    works.queue.pause(Lane.EVENT, who="ann", why="junk")
    works.queue.push([tried(f"user-{i}") for i in range(20)] + [tried("robot")] * 50)
    works.queue.push([updated("robot", **{"$set": {"n": 1}})])
    which = ("--lane", "event", "--distinct-id", "robot")
    called("queue", "drop", *which, "--why", "a load test", MIXRELAY_REDIS_URL=works.url)
    works.queue.resume(Lane.EVENT, who="ann")
    works.drain()
    assert len(works.box.events) == 20
    assert {one["properties"]["distinct_id"] for one in works.box.events} == {
        f"user-{i}" for i in range(20)
    }
    assert len(works.box.profiles) == 1, "the lane that was not named is as it was"
    assert (works.books.dead, works.books.difference) == (50, 0)
