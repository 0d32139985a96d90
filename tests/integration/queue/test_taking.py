"""A reserve that takes out of the list what its lane lacks: moved once, and as if routed first."""

import pytest
from redis.exceptions import ResponseError

from mixrelay.shared.errors import WrongKeyType
from mixrelay.shared.queue import Lane, Limits, Settlement
from tests.support.bench import Bench, event, numbers, payloads, update

NOW = Limits(records=3, linger_seconds=0)


def taken_apart(bench: Bench) -> tuple[list[bytes], list[bytes], list[bytes]]:
    """What is in the list, in the lane of events, and in that of profile updates."""
    return (
        bench.redis.lrange(bench.queue.name, 0, -1),
        bench.lane(Lane.EVENT),
        bench.lane(Lane.PROFILE_UPDATE),
    )


def test_a_batch_is_filled_from_the_list_behind_what_the_lane_has(bench: Bench) -> None:
    written = [event(str(i)) for i in range(6)]
    bench.route(written[0])
    bench.queue.push(written[1:])
    batch = bench.take(limits=NOW, routes=100)
    assert payloads(batch) == written[:3]
    assert numbers(batch) == ["0-1", "0-2", "0-3"]
    assert batch.routed == (Lane.EVENT,)
    assert payloads(bench.take(limits=NOW, routes=100)) == written[3:]
    books = bench.queue.books()
    assert (books.totals["received"], books.in_flight, books.difference) == (6, 6, 0)


def test_what_belongs_to_others_goes_to_their_lanes_in_its_order(bench: Bench) -> None:
    bench.queue.push([update("p", 1), event("a"), update("p", 2), b"junk", event("b")])
    batch = bench.take(limits=NOW, routes=100)
    assert payloads(batch) == [event("a"), event("b")]
    assert numbers(batch) == ["0-2", "0-5"]
    assert set(batch.routed) == {Lane.EVENT, Lane.PROFILE_UPDATE, Lane.ODD}
    updates = bench.take(Lane.PROFILE_UPDATE, limits=NOW)
    assert payloads(updates) == [update("p", 1), update("p", 2)]
    assert numbers(updates) == ["0-1", "0-3"]
    assert payloads(bench.take(Lane.ODD, limits=NOW)) == [b"junk"]


def test_no_more_is_taken_than_asked_and_than_fills_the_batch(bench: Bench) -> None:
    written = [event(f"{i:03}") for i in range(300)]
    bench.queue.push(written)
    one = bench.take(limits=Limits(records=200, linger_seconds=0), routes=50)
    assert payloads(one) == written[:50]
    two = bench.take(limits=Limits(records=20, linger_seconds=0), routes=4_000)
    assert payloads(two) == written[50:70]
    left, lane, _ = taken_apart(bench)
    # It reads the list by some at a time: what is over is in the lane.
    assert len(lane) < 16
    assert lane + left == written[70:]


def test_what_is_too_much_by_its_bytes_stays_in_its_order(bench: Bench) -> None:
    written = [event(str(i) * 500) for i in range(8)]
    bench.route(written[0])
    bench.queue.push(written[1:])
    limits = Limits(bytes=2_000, linger_seconds=0)
    found = []
    while len(found) < 8:
        batch = bench.take(limits=limits, routes=100)
        assert sum(len(one.payload) for one in batch.members) <= 2_000
        found += payloads(batch)
    assert found == written


def test_what_lingers_waits_in_its_lane(bench: Bench) -> None:
    bench.queue.push([event("a")])
    slow = Limits(records=3, linger_seconds=30)
    nothing = bench.refused(limits=slow, routes=100)
    assert nothing.wait_seconds is not None
    assert 25 < nothing.wait_seconds <= 30
    assert nothing.routed == (Lane.EVENT,)
    left, lane, _ = taken_apart(bench)
    assert (left, len(lane)) == ([], 1)
    assert bench.queue.books().difference == 0


def test_a_lost_reply_takes_nothing_more(bench: Bench) -> None:
    bench.queue.push([event(str(i)) for i in range(5)])
    first = bench.take(claim="c1", limits=NOW, routes=100)
    before = bench.dump()
    again = bench.take(claim="c1", limits=NOW, routes=100)
    assert again == first
    assert again.routed == ()
    assert bench.dump() == before


def test_from_a_lane_that_is_held_nothing_is_taken(bench: Bench) -> None:
    bench.queue.push([event("a")])
    bench.queue.pause(Lane.EVENT, who="me", why="a look")
    assert bench.refused(limits=NOW, routes=100).routed == ()
    assert taken_apart(bench)[0] == [event("a")]


def test_what_is_parked_goes_first_and_the_list_stays(bench: Bench) -> None:
    bench.route(event("a"))
    bench.queue.settle(bench.take(limits=NOW), Settlement(rest="back"))
    bench.queue.push([event("b")])
    assert payloads(bench.take(limits=NOW, routes=100)) == [event("a"), event("b")]


def test_an_ordered_lane_may_take_too_and_its_batches_go_in_their_order(bench: Bench) -> None:
    written = [update("p", value) for value in range(5)]
    bench.queue.push(written)
    first = bench.take(Lane.PROFILE_UPDATE, limits=NOW, routes=100)
    assert payloads(first) == written[:3]
    assert bench.refused(Lane.PROFILE_UPDATE, limits=NOW, routes=100).routed == ()
    bench.queue.settle(first, Settlement(delivered="all"))
    assert payloads(bench.take(Lane.PROFILE_UPDATE, limits=NOW, routes=100)) == written[3:]


@pytest.mark.parametrize("name", ["{queue}", "number"])
def test_a_foreign_value_stops_it_untouched(bench: Bench, name: str) -> None:
    key = bench.queue.name if name == "{queue}" else bench.key(name)
    bench.redis.set(key, "mine")
    before = bench.dump()
    with pytest.raises(WrongKeyType, match="holds"):
        bench.reserve(limits=NOW, routes=100)
    assert bench.dump() == before
    assert bench.redis.get(key) == b"mine"


@pytest.mark.parametrize("spoilt", ["a pace that is no JSON", "a pause of another type"])
def test_what_was_taken_out_is_kept_where_the_script_fails_half_way(
    bench: Bench, spoilt: str
) -> None:
    """A script is not rolled back: who edits the queue's keys by hand loses no message by it."""
    written = [event("a"), update("p", 1), event("b")]
    bench.queue.push(written)
    if spoilt == "a pace that is no JSON":
        bench.redis.hset(bench.key("paces"), "here", "{")
    else:
        bench.redis.set(bench.key("pause:here"), "mine")
    with pytest.raises((ResponseError, WrongKeyType)):
        bench.reserve(limits=NOW, routes=100, destination="here")
    bench.redis.delete(bench.key("paces"), bench.key("pause:here"))
    assert payloads(bench.take(limits=NOW, routes=100, destination="here")) == written[::2]
    assert payloads(bench.take(Lane.PROFILE_UPDATE, limits=NOW)) == written[1:2]
    assert bench.queue.books().difference == 0
