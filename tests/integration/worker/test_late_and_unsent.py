"""Letters replayed long after their event, and attempts at which nothing was sent."""

import time

import pytest

from tests.support.bench import Bench
from tests.support.ports import free_port
from tests.support.works import Works, event

DAY_MS = 86_400_000


@pytest.mark.parametrize("endpoint", ["import", "track"])
def test_a_letter_about_ten_days_ago_is_replayed_to_where_its_age_is_taken(
    works: Works, endpoint: str
) -> None:
    bench = Bench(works.queue)
    bench.route(event("late", time=int(time.time() * 1000) - 10 * DAY_MS))
    bench.bury(bench.take())
    [letter] = works.letters()
    assert works.queue.replay([letter.id]) == 1
    works.drain(to=works.settings(events_endpoint=endpoint))
    assert works.users() == ["late"], "/track would have dropped it and said 1"
    assert [one.endpoint for one in works.box.requests] == ["/import"]


def test_what_was_never_sent_uses_up_no_attempt(works: Works) -> None:
    def few_tries() -> bool:
        return max((pause.failures for pause in works.books.paused), default=0) < 5

    works.push(event("culprit"))
    nowhere = works.settings(api_host=f"http://127.0.0.1:{free_port()}")
    works.drain_while(few_tries, to=nowhere, attempts=1)
    assert works.books.dead == 0
    works.box.fault("reject_distinct_id", match="culprit")
    works.drain()
    [letter] = works.letters()
    assert (letter.reason, letter.attempts) == ("rejected", 1)
