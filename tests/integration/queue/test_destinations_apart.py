"""One destination's trouble is its own, on a queue that several projects share (rule 3)."""

import statistics
import time
from collections.abc import Iterator

import pytest

from mixrelay.shared.queue import (
    Batch,
    Division,
    Lane,
    Limits,
    Nothing,
    Number,
    Park,
    Part,
    Settled,
    Settlement,
)
from tests.support.bench import Bench, event, numbers, outage, payloads, update

LANE = Lane.PROFILE_UPDATE
CLOSED = Park("its destination is paused")


def of(project: str, value: int) -> bytes:
    return update(f"{project}-profile", value)


def project_of(payload: bytes) -> str:
    return payload.partition(b"-profile")[0].rpartition(b'"')[2].decode()


def read(bench: Bench, batch: Batch) -> bool:
    """Parts a batch by project, as a worker does; whether what stays may be sent."""
    groups: dict[str, list[Number]] = {}
    for member in batch.members:
        groups.setdefault(project_of(member.payload), []).append(member.number)
    first, *others = groups
    parts = [Part(groups[name], name) for name in others]
    if batch.line == first:
        return True
    while len(parts) > 100:
        bench.queue.divide(batch, Division(parts[:100]))
        del parts[:100]
    return bench.queue.divide(batch, Division(parts, destination=first)) is Settled.DONE


def turns(bench: Bench, lane: Lane = LANE, records: int = 2_000) -> Iterator[Batch]:
    """What a worker may send until the queue has nothing more for it."""
    limits = Limits(records=records, linger_seconds=0)
    idle = 0
    while idle < 3:
        reply = bench.reserve(lane, destination=None, limits=limits)
        if isinstance(reply, Nothing):
            idle += 1
            time.sleep(0.11)  # deep lines are looked past ten times a second
        elif read(bench, reply):
            idle = 0
            yield bench.take(lane, claim=reply.claim)


def close(bench: Bench, project: str) -> Batch:
    """The first update of a project fails, and closes its destination."""
    bench.route(of(project, 0))
    batch = bench.take(LANE, destination=None)
    assert read(bench, batch)
    bench.park(batch, outage(3_600_000), destination=project)
    return batch


def is_closed(bench: Bench, batch: Batch) -> bool:
    return batch.line in batch.paused and not batch.probe


def test_what_is_closed_for_one_goes_on_for_the_others_in_order(bench: Bench) -> None:
    close(bench, "a")
    bench.route(*(of("abc"[n % 3], n) for n in range(3, 300)))
    seen: dict[str, list[bytes]] = {"a": [], "b": [], "c": []}
    for batch in turns(bench, records=10):
        if is_closed(bench, batch):
            bench.park(batch, CLOSED, sent=False, destination=batch.line)
            continue
        assert batch.line
        seen[batch.line] += payloads(batch)
        bench.deliver(batch)
    assert seen["a"] == []
    assert seen["b"] == [of("b", n) for n in range(4, 300, 3)]
    assert seen["c"] == [of("c", n) for n in range(5, 300, 3)]
    bench.pause_over("a")
    for batch in turns(bench):
        assert batch.line == "a"
        seen["a"] += payloads(batch)
        bench.deliver(batch)
    assert seen["a"] == [of("a", n) for n in range(0, 300, 3)]
    books = bench.queue.books()
    assert (books.waiting, books.batches, books.difference) == (0, 0, 0)


def test_batches_of_a_closed_destination_become_few(bench: Bench) -> None:
    close(bench, "a")
    for n in range(1, 101):
        bench.route(of("a", n))
        for batch in turns_once(bench):
            bench.park(batch, CLOSED, sent=False, destination="a")
    # The one that failed, and all the others in one.
    assert bench.queue.books().batches == 2


def turns_once(bench: Bench) -> Iterator[Batch]:
    while not isinstance(reply := bench.reserve(LANE, destination=None), Nothing):
        if read(bench, reply):
            yield bench.take(LANE, claim=reply.claim)


def test_joined_batches_fit_one_request(bench: Bench) -> None:
    close(bench, "a")
    bench.route(*(of("a", n) for n in range(1, 4_502)))
    assert list(turns(bench, records=900)) == []
    order = bench.redis.lrange(bench.key(f"order:{LANE}:a"), 0, -1)
    sizes = [bench.redis.llen(bench.key(f"batch:{one.decode()}")) for one in order]
    assert sizes == [1, 1_800, 1_800, 901]


def test_while_one_of_a_destination_is_under_way_another_of_it_waits(bench: Bench) -> None:
    bench.route(of("a", 1), of("b", 1))
    first = bench.take(LANE, destination=None)
    assert read(bench, first)
    [other] = turns_once(bench)
    assert other.line == "b"
    bench.route(of("a", 2), of("b", 2))
    bench.deliver(other)
    assert list(turns_once(bench)) == [], "what is under way will be done soon"
    bench.deliver(first)
    [second, _] = turns_once(bench)
    assert payloads(second) == [of("a", 2)]


def test_nothing_fresh_is_taken_beside_what_is_not_read_yet(bench: Bench) -> None:
    bench.route(of("a", 1), of("b", 1))
    one = Limits(records=1, linger_seconds=0)
    unread = bench.take(LANE, destination=None, limits=one)
    bench.refused(LANE, destination=None, limits=one)
    bench.die(unread)
    again = bench.take(LANE, destination=None, limits=one)
    assert numbers(again) == numbers(unread)
    bench.refused(LANE, destination=None, limits=one)


def test_a_repeated_division_says_again_that_it_waits(bench: Bench) -> None:
    close(bench, "a")
    bench.route(of("a", 1))
    batch = bench.take(LANE, destination=None)
    for _ in range(2):
        told = Division([], destination="a")
        assert bench.queue.divide(batch, told, op="op") is Settled.WAITS
    assert bench.queue.settle(batch, Settlement(rest="back")) is Settled.LOST


def test_a_head_that_stands_alone_is_tried_against_its_own_project_only(bench: Bench) -> None:
    bench.route(of("a", 1))
    head = bench.take(LANE, destination=None)
    assert read(bench, head)
    bench.park(head, Park("500", status=500, counts=True, cornered=True), destination="a")
    bench.route(of("b", 1), update("a-profile2", 2))
    seen = {batch.line: batch for batch in turns_once(bench)}
    assert seen["b"].rival is None
    assert seen["a"].rival == head.id


def test_a_long_line_that_is_open_again_holds_nobody_up(bench: Bench) -> None:
    """A single sender: the others' records are found while a backlog is sent."""
    close(bench, "a")
    bench.route(*(of("a", n) for n in range(1, 200)))
    for batch in turns(bench, records=10):
        bench.park(batch, CLOSED, sent=False, destination="a")
    ids = bench.redis.lrange(bench.key(f"order:{LANE}:a"), 0, -1)
    assert len(ids) == 2
    bench.pause_over("a")
    bench.deliver(bench.take(LANE, destination=None))
    rest = bench.take(LANE, destination=None)
    names = numbers(rest)
    bench.queue.divide(rest, Division([Part([name]) for name in names[1:]]))
    bench.deliver(bench.take(LANE, claim=rest.claim))
    bench.route(of("b", 1))
    taken = []
    while "b" not in taken:
        reply = bench.reserve(LANE, destination=None)
        if isinstance(reply, Batch) and read(bench, reply):
            taken.append(reply.line or project_of(reply.members[0].payload))
            bench.deliver(bench.take(LANE, claim=reply.claim))
        assert len(taken) < 20


def test_events_go_on_behind_any_number_of_batches_of_a_closed_one(bench: Bench) -> None:
    bench.route(event("a"))
    bench.park(bench.take(destination="import/a"), outage(), destination="import/a")
    bench.route(*(event(str(n)) for n in range(200)))
    one = Limits(records=1, linger_seconds=0)
    for n in range(199):
        batch = bench.take(destination=None, limits=one, fresh_while_paused=32)
        assert payloads(batch) == [event(str(n))]
        bench.park(batch, CLOSED, sent=False, destination="import/a")
    last = bench.take(destination=None, limits=one, fresh_while_paused=32)
    assert payloads(last) == [event("199")]
    # The one that failed, the joined ones, and the last.
    assert bench.queue.books().batches == 3
    assert bench.queue.books().difference == 0


@pytest.mark.timeout(300)
def test_a_reserve_is_cheap_among_5000_destinations_of_which_200_are_closed(bench: Bench) -> None:
    closed = {f"d{n}" for n in range(200)}
    for name in closed:
        close(bench, name)
    bench.route(*(of(f"d{n}", 1) for n in range(5_000)))
    took: list[float] = []
    sent, nothing = 0, 0
    while sent < 4_800 and nothing < 20:
        bench.redis.config_resetstat()
        reply = bench.reserve(LANE, destination=None)
        took.append(bench.redis.info("commandstats")["cmdstat_evalsha"]["usec"] / 1_000)
        if isinstance(reply, Nothing):
            nothing += 1
        elif read(bench, reply):
            batch = bench.take(LANE, claim=reply.claim)
            assert batch.line not in closed
            bench.deliver(batch)
            sent += 1
    typical = statistics.median(took)
    print(f"{sent} sent; a reserve took {typical:.2f} ms in the middle, {max(took):.1f} at most")
    assert sent == 4_800
    assert typical < 20
