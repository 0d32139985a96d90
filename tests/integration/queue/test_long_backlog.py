"""A long backlog costs each move what a short one does (rule 11)."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest

from mixrelay.shared.queue import LetterFilter, Limits, Number
from tests.support.bench import DESTINATION, Bench, event, outage

SHORT, LONG = 1_000, 200_000
FEW, MANY = 100, 1_000
"""Parked batches: a claim looks at 64."""
REPEATS = 5
RATIO, NOISE_MICROSECONDS = 4, 3_000
"""What is read whole costs some hundred times as much with the long one."""
AT_ONCE = 1_000
SOME = Limits(records=20, linger_seconds=0)

Costs = dict[str, int]

FILL = """
local payloads, members = {}, {}
local last = redis.call("INCRBY", KEYS[3], ARGV[2])
for i = 1, tonumber(ARGV[2]) do
  payloads[i], members[i] = ARGV[1], string.format("0-%d 1 0 ", last - i) .. ARGV[1]
end
redis.call("RPUSH", KEYS[1], unpack(payloads))
redis.call("RPUSH", KEYS[2], unpack(members))
"""


def fill(bench: Bench, length: int) -> None:
    """A queue with so many messages in its list and in its lane of events, and some letters."""
    bench.redis.flushall()
    letters = length // 20
    for _ in range(0, letters, AT_ONCE):
        bench.route(*[event("dies")] * min(letters, AT_ONCE))
        bench.bury(bench.take(limits=Limits(records=AT_ONCE, linger_seconds=0)))
    push = bench.redis.register_script(FILL)
    keys = [bench.queue.name, bench.key("lane:event"), bench.key("number")]
    for _ in range(0, length, AT_ONCE):
        push(keys=keys, args=[event("waits"), AT_ONCE])


def costs(bench: Bench, moves: Mapping[str, Callable[[], Any]]) -> Costs:
    """Microseconds of the server for each move, the least of some repetitions."""

    def spent(move: Callable[[], Any]) -> int:
        bench.redis.config_resetstat()
        move()
        return sum(one["usec"] for one in bench.redis.info("commandstats").values())

    return {name: min(spent(move) for _ in range(REPEATS)) for name, move in moves.items()}


def check(short: Costs, long: Costs) -> None:
    print(f"{short}\n{long}")
    bound = {name: RATIO * cost + NOISE_MICROSECONDS for name, cost in short.items()}
    assert {name: cost for name, cost in long.items() if cost > bound[name]} == {}


@pytest.mark.timeout(120)
def test_no_move_costs_more_with_a_long_backlog_and_many_letters(bench: Bench) -> None:
    queue, letters = bench.queue, bench.queue.letters
    rejected = LetterFilter(reason="invalid")

    def first(count: int) -> list[Number]:
        return [letter.id for letter in letters.page(rejected, limit=count).letters]

    moves: dict[str, Callable[[], Any]] = {
        "route": lambda: queue.route(100),
        "reserve and deliver": lambda: bench.deliver(bench.take(limits=SOME)),
        "reserve and bury": lambda: bench.bury(bench.take(limits=SOME)),
        "reap": queue.reap,
        "books": queue.books,
        "page": lambda: letters.page(rejected, limit=50),
        "groups": letters.groups,
        "replay": lambda: queue.replay(first(10)),
        "discard": lambda: queue.discard(first(10)),
        "expire": lambda: queue.retention.expire(timedelta(days=1), None),
    }
    measured = []
    for length in (SHORT, LONG):
        fill(bench, length)
        measured.append(costs(bench, moves))
        assert queue.books().queued >= length / 2
    check(*measured)


@pytest.mark.timeout(120)
def test_a_claim_costs_no_more_with_many_parked_batches_than_with_some(bench: Bench) -> None:
    def park(count: int) -> None:
        """That many batches that are due, behind a pause that is not over."""
        bench.redis.flushall()
        bench.route(*[event("waits")] * count)
        for _ in range(count):
            bench.park(bench.take(limits=Limits(records=1, linger_seconds=0)), outage())
            bench.redis.delete(bench.key(f"pause:{DESTINATION}"), bench.key("paces"))
        bench.redis.hset(
            bench.key(f"pause:{DESTINATION}"), mapping={"until": 9_999_999_999_999, "lane": "event"}
        )
        bench.due()

    def refuse() -> None:
        bench.refused(fresh_while_paused=32)

    measured = []
    for count in (FEW, MANY):
        park(count)
        measured.append(costs(bench, {"reserve": refuse}))
    check(*measured)
