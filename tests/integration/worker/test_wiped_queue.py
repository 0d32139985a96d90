"""A queue that is emptied while a worker drains it begins anew, with numbers from 1 on."""

from redis import Redis

from tests.support.works import Works, event


def test_events_after_the_queue_was_wiped_are_not_taken_for_those_before(
    works: Works, redis: Redis
) -> None:
    same = event("twin")
    works.push(same)
    wiped: list[bool] = []

    def goes_on() -> bool:
        if not wiped and works.books.totals["delivered"] == 1:
            redis.flushall()
            works.push(same)
            wiped.append(True)
        return len(works.box.requests) < 2

    works.drain_while(goes_on)
    assert works.users() == ["twin", "twin"]
    assert not works.box.duplicates
