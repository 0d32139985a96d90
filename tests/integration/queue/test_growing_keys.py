"""What is noted for each destination, log or move ends, and costs nothing where there are many."""

import re
import time
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from statistics import median

import pytest

from mixrelay.shared.queue import Batch, Lane, Settlement
from mixrelay.shared.queue.partitions.partition import Partition
from tests.support.bench import Bench, event, outage

DAY_MS = 86_400_000
MANY = 5_000
AWAY = 200


def reap_until(bench: Bench, is_over: Callable[[], bool]) -> int:
    for turn in range(1_000):
        if is_over():
            return turn
        bench.queue.reap()
    raise AssertionError("it is kept for ever")


def now_ms() -> int:
    return int(time.time() * 1000)


def accepted(bench: Bench, count: int, age_ms: int) -> None:
    at = now_ms() - age_ms
    bench.redis.hset(bench.key("accepted"), mapping={f"to/{n}/{age_ms}": at for n in range(count)})


def test_destinations_that_are_no_more_are_forgotten(bench: Bench) -> None:
    accepted(bench, MANY, 2 * DAY_MS)
    accepted(bench, MANY // 2, DAY_MS // 2)
    turns = reap_until(bench, lambda: bench.redis.hlen(bench.key("accepted")) <= MANY // 2)
    assert turns > 10, "one call looks at all of them"
    for _ in range(2 * turns):
        bench.queue.reap()
    assert bench.redis.hlen(bench.key("accepted")) == MANY // 2


def test_where_destinations_come_too_quickly_only_the_newest_are_remembered(bench: Bench) -> None:
    accepted(bench, 2 * MANY, 3_600_000)
    accepted(bench, MANY, 0)
    reap_until(bench, lambda: bench.redis.hlen(bench.key("accepted")) <= 2 * MANY)
    assert bench.redis.hlen(bench.key("accepted")) > MANY


def test_logs_that_were_loaded_long_ago_are_forgotten(bench: Bench) -> None:
    loads = Partition(bench.redis).loads
    loads.load("new", [event("a")], before="", after="1")
    old = now_ms() - 100 * DAY_MS
    names = [f"log-{number}" for number in range(500)]
    bench.redis.hset(bench.key("loads"), mapping=dict.fromkeys(names, "9"))
    bench.redis.hset(bench.key("loads:at"), mapping=dict.fromkeys(names, old))
    # As an older mixrelay noted it.
    bench.redis.hset(bench.key("loads"), "former", "3")
    # Below a hundred nothing is dropped.
    reap_until(bench, lambda: bench.redis.hlen(bench.key("loads")) <= 102)
    assert (loads.place("new"), loads.place("former")) == ("1", "3")
    kept = bench.redis.hlen(bench.key("loads"))
    assert kept - 1 <= bench.redis.hlen(bench.key("loads:at")) <= kept


def test_every_key_of_a_drained_queue_is_one_of_few_or_ends_by_itself(bench: Bench) -> None:
    for number in range(100):
        bench.route(event(str(number)))
        batch = bench.take(destination=f"track/{number}")
        if number % 3:
            bench.park(batch, outage(), destination=f"track/{number}")
            bench.pause_over(f"track/{number}")
            batch = bench.take(destination=f"track/{number}")
        bench.deliver(batch)
    bench.queue.reap()
    lasting = [key.decode() for key in bench.redis.keys("*") if bench.redis.ttl(key) == -1]
    assert len(lasting) < 20, lasting
    sizes = {key: bench.redis.hlen(key) for key in lasting if bench.redis.type(key) == b"hash"}
    assert sizes.pop(bench.key("accepted")) == 100
    assert sizes.pop(bench.key("totals")) < 60
    # A pace goes ten minutes after it changed last.
    assert sizes.pop(bench.key("paces"), 0) <= 100
    bench.redis.hset(bench.key("paces"), "track/1", f'{{"limit":1,"at":{now_ms() - 700_000}}}')
    bench.queue.reap()
    assert not bench.redis.hexists(bench.key("paces"), "track/1")
    assert max(sizes.values(), default=0) == 0, sizes


def cost(bench: Bench, count: int, away: int) -> dict[str, float]:
    """Microseconds of the server's for each script, where many destinations are known."""
    bench.redis.flushall()
    accepted(bench, count, 0)
    for number in range(away):
        bench.route(event(str(number)))
        batch = bench.take(destination=f"away/{number}")
        bench.park(batch, outage(), destination=f"away/{number}")
    taken: dict[str, list[float]] = {}

    def spent() -> float:
        stats = bench.redis.info("commandstats")
        return float(stats.get("cmdstat_evalsha", {"usec": 0})["usec"])

    def timed(name: str, act: Callable[[], object]) -> object:
        before = spent()
        done = act()
        taken.setdefault(name, []).append(spent() - before)
        return done

    for number in range(21):
        bench.queue.push([event(f"new {number}")])
        timed("route", bench.queue.route)
        batch = timed("reserve", lambda: bench.reserve(Lane.EVENT, destination="open"))
        assert isinstance(batch, Batch)
        settled = Settlement(delivered="all", sent=True, accepted=True, destination="open")
        timed("settle", lambda b=batch, s=settled: bench.queue.settle(b, s))
        timed("reap", bench.queue.reap)
        timed("books", bench.queue.books)
    # The first call of a script teaches it to the server.
    return {name: median(all_of_it[1:]) for name, all_of_it in taken.items()}


@pytest.mark.parametrize("away", [0, AWAY])
def test_thousands_of_destinations_cost_what_some_do(bench: Bench, away: int) -> None:
    few, many = cost(bench, 50, away), cost(bench, MANY, away)
    print(f"{few}\n{many}")
    for name in few:
        # Some 100 of them are looked at in each reap, to be forgotten.
        assert many[name] < 5 * few[name] + 1_000, (name, few, many)


def test_an_acceptance_does_not_look_at_every_pause(bench: Bench) -> None:
    none, many = cost(bench, 50, 0), cost(bench, 50, 3 * AWAY)
    print(f"{none}\n{many}")
    assert many["settle"] < 3 * none["settle"] + 200


KEY = re.compile(r"ROOT:([a-z_:<>|]+)")
MADE = re.compile(r'key\("([a-z_:]+)"')
DOC = Path(__file__).parents[3] / "docs" / "internals.md"


def test_the_table_of_what_is_kept_names_every_key() -> None:
    table = DOC.read_text(encoding="utf-8").partition("## What is kept")[2].partition("\n## ")[0]
    named = {one.replace("\\", "") for one in re.findall(r"`([^`]+)`", table)}
    stems = {one.partition("<")[0].rstrip(":") for one in named}
    folder = files("mixrelay.shared.queue") / "lua"
    found: set[str] = set()
    for script in folder.iterdir():
        text = script.read_text(encoding="utf-8")
        found |= {one.partition("<")[0] for one in KEY.findall(text)} | set(MADE.findall(text))
    found = {one.rstrip(":") for one in found} - {"name"}  # which stands for each
    assert len(found) > 40
    assert found <= stems, found - stems
