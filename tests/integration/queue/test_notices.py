"""What Mixpanel does unasked: counted and shown with the settlement that delivers it."""

import pytest

from mixrelay.shared.errors import WrongKeyType
from mixrelay.shared.queue import (
    Dead,
    Example,
    Lane,
    Notice,
    Noticed,
    NoticeKind,
    Queue,
    Settled,
    Settlement,
)
from tests.support.bench import Bench, event, update

DAY_MS = 86_400_000


def example(name: str = "Bought", number: str = "0-1") -> Example:
    return Example(name, "properties.Über", "412 characters, 255 kept", number)


def cut(count: int, **what: str) -> dict[str, Noticed]:
    return {NoticeKind.CUT_TEXT: Noticed(count, example(**what))}


def deliver(bench: Bench, **settlement) -> None:
    bench.route(event("a"))
    batch = bench.take()
    told = Settlement(delivered="all", sent=True, accepted=True, destination="d", **settlement)
    assert bench.queue.settle(batch, told) is Settled.DONE


def test_ignored_events_count_as_discarded_and_the_figures_add_up(bench: Bench) -> None:
    bench.route(event("1"), event("2"), event("3"), event("4"))
    told = Settlement(
        delivered="all", ignored=["0-1", "0-4"], dead=[Dead("0-2", "invalid", "x")], sent=True
    )
    assert bench.queue.settle(bench.take(), told) is Settled.DONE
    counters = ("delivered", "discarded", "discarded:ignored", "ignored", "dead")
    assert bench.totals(*counters) == [1, 2, 2, 2, 1]
    assert (bench.queue.books().difference, bench.queue.books().waiting) == (0, 0)


def test_a_batch_of_ignored_events_alone_is_done_with(bench: Bench) -> None:
    bench.route(event("1"))
    assert bench.queue.settle(bench.take(), Settlement(ignored=["0-1"])) is Settled.DONE
    books = bench.queue.books()
    assert (books.batches, books.waiting, books.difference) == (0, 0, 0)
    assert bench.totals("delivered", "ignored") == [0, 1]


def test_notices_are_counted_and_the_first_example_is_kept(bench: Bench) -> None:
    deliver(bench, noticed=cut(3))
    deliver(bench, noticed=cut(2, name="later", number="0-2"))
    assert bench.totals("noticed:cut_text") == [5]
    [notice] = bench.queue.books().notices
    assert notice == Notice(
        "cut_text", notice.at_ms, "event", "Bought", "properties.Über", example().detail, "0-1"
    )


def test_an_example_older_than_a_day_makes_room(bench: Bench) -> None:
    deliver(bench, noticed=cut(1))
    stored = bench.redis.hget(bench.key("notices"), "cut_text")
    [old] = bench.queue.books().notices
    aged = stored.replace(b"%d" % old.at_ms, b"%d" % (old.at_ms - DAY_MS - 1_000))
    bench.redis.hset(bench.key("notices"), "cut_text", aged)
    deliver(bench, noticed=cut(1, name="later", number="0-2"))
    [notice] = bench.queue.books().notices
    assert (notice.name, notice.number) == ("later", "0-2")
    assert notice.at_ms >= old.at_ms


def test_what_mixpanel_does_not_confirm_is_counted(bench: Bench) -> None:
    deliver(bench, unconfirmed=7)
    assert bench.totals("unconfirmed", "delivered") == [7, 1]
    minutes = bench.queue.books().minutes.values()
    assert sum(minute.get("unconfirmed", 0) for minute in minutes) == 7


def test_a_settlement_asked_twice_counts_once(bench: Bench) -> None:
    bench.route(event("a"))
    batch = bench.take()
    told = Settlement(ignored=["0-1"], noticed=cut(3), unconfirmed=1)
    assert bench.queue.settle(batch, told, op="op") is Settled.DONE
    assert bench.queue.settle(batch, told, op="op") is Settled.ALREADY
    assert bench.totals("ignored", "noticed:cut_text", "unconfirmed") == [1, 3, 1]


def test_an_update_is_noticed_in_its_lane(bench: Bench) -> None:
    bench.route(update("p"))
    batch = bench.take(Lane.PROFILE_UPDATE)
    bench.queue.settle(batch, Settlement(delivered="all", noticed=cut(1, name="$set")))
    [notice] = bench.queue.books().notices
    assert (notice.lane, notice.name) == ("profile_update", "$set")


def test_a_foreign_value_stops_a_settlement_with_notices_untouched(bench: Bench) -> None:
    bench.redis.set(bench.key("notices"), "foreign")
    bench.route(event("a"))
    batch = bench.take()
    before = bench.dump()
    with pytest.raises(WrongKeyType, match="Nothing was changed"):
        bench.queue.settle(batch, Settlement(delivered="all", noticed=cut(1)))
    assert bench.dump() == before
    bench.deliver(batch)


def test_the_notices_of_all_partitions_are_one_list(bench: Bench) -> None:
    queue = Queue(bench.redis, "several", partitions=3)
    several = Bench(queue)
    queue.push([update(f"p{n}") for n in range(20)])
    while queue.route()[0]:
        pass
    for at in range(3):
        batch = several.take(Lane.PROFILE_UPDATE)
        noticed = cut(2, name=f"{at}")
        queue.settle(batch, Settlement(delivered="all", noticed=noticed))
    assert len(set(bench.redis.scan_iter("*:notices"))) == 3
    books = queue.books()
    assert books.totals["noticed:cut_text"] == 6
    [notice] = books.notices
    assert notice.name in {"0", "1", "2"}
