"""How many updates share a request: fewer than events, where someone wants it."""

from tests.support.works import Works, event, group, update


def requests(works: Works, endpoint: str) -> int:
    return works.books.totals.get(f"requests:{endpoint}:2xx", 0)


def test_a_limit_for_profiles_is_not_one_for_events(works: Works) -> None:
    works.push(*[update(f"p{n}", **{"$set": {"n": n}}) for n in range(500)])
    works.push(*[group(f"g{n}", **{"$set": {"n": n}}) for n in range(300)])
    works.push(*[event(f"u{n}") for n in range(500)])
    while works.queue.route()[0]:
        pass
    works.drain(profile_batch_records=200)
    assert requests(works, "engage") == 3
    assert requests(works, "groups") == 2
    assert len(works.box.events) == 500
    assert requests(works, "import") < 3


def test_the_limit_for_all_holds_for_profiles_too(works: Works) -> None:
    works.push(*[update(f"p{n}", **{"$set": {"n": n}}) for n in range(50)])
    works.queue.route()
    works.drain(batch_records=10)
    assert requests(works, "engage") == 5
    assert len(works.box.profiles) == 50
