"""Redis refuses a settlement for a while: nothing is lost by it, and the figures tell."""

from tests.support.works import Works, event, message, wait_until


def test_a_refused_settlement_is_repeated_until_it_is_taken_and_counted(works: Works) -> None:
    foreign = f"{{{works.queue.name}}}:dead:reason:invalid"
    works.queue.redis.set(foreign, "of another program")
    works.push(event("ann"), message("event", {"event": "", "properties": {"token": "t"}}))
    worker = works.start()
    wait_until(lambda: "WRONGTYPE" in worker.log, "the refusal in the log")
    assert works.books.waiting == 2

    works.queue.redis.delete(foreign)

    works.wait_until_all_is_settled()
    assert works.users() == ["ann"], "and it was sent once"
    assert works.reasons() == ["invalid"]
    assert works.books.totals["settle_failures"] >= 1
    assert works.books.difference == 0
