"""`mixrelay queue drop`: what an operator names is dropped, counted, and restored by a replay."""

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from mixrelay.console.exits import ExitCode
from mixrelay.shared.connection import connect
from mixrelay.shared.queue import Lane, LetterFilter, Queue
from mixrelay.shared.queue.messages.backlog import Store
from mixrelay.shared.queue.messages.taking_out import MOST, Taking
from tests.support.bench import Bench, outage
from tests.support.console import called
from tests.support.letters import event, profile

WHY = ("--why", "a loop in release 42")


def on(url: str, *command: str, **more: Any) -> tuple[str, str]:
    return called(*command, MIXRELAY_REDIS_URL=url, **more)


def drop(url: str, *command: str, **more: Any) -> tuple[str, str]:
    return on(url, "queue", "drop", *command, *WHY, **more)


def names(bench: Bench, lane: Lane = Lane.EVENT) -> list[str]:
    return [json.loads(json.loads(one)[1])["data"]["event"] for one in bench.lane(lane)]


def is_balanced(queue: Queue) -> bool:
    return queue.books().difference == 0


def test_what_is_named_is_dropped_from_everywhere_and_comes_back_by_replay(
    queue: Queue, redis_url: str
) -> None:
    bench = Bench(queue)
    bench.route(event("Junk", "robot"), event("Good"), event("Junk", "ann"))
    bench.park(bench.take(), outage())
    bench.route(event("Good"), event("Junk"), profile("robot", n=1), event("Last"))
    queue.push([event("Junk"), event("Pushed")])
    queue.pause(Lane.EVENT, who="ann", why="junk")
    queue.pause(Lane.IMPORT, who="ann", why="junk")

    written, _ = drop(redis_url, "--event", "Junk")
    assert "Dropped 4 messages of 8 in" in written
    books = queue.books()
    assert (books.dead, books.difference) == (4, 0)
    assert books.parked[Lane.EVENT] == 1
    assert names(bench) == ["Good", "Last", "Pushed"], "in their order"
    assert books.lanes[Lane.PROFILE_UPDATE] == 1
    letters = list(queue.letters.find(_all()))
    assert {one.reason for one in letters} == {"dropped"}
    assert "a loop in release 42" in letters[0].error
    audit, _ = on(redis_url, "dlq", "audit")
    assert "drop" in audit
    assert "a loop in release 42" in audit
    entries = [one for one in queue.audit.newest(10) if one.what == "drop"]
    assert sum(one.count for one in entries) == 4

    on(redis_url, "dlq", "replay", "--reason", "dropped")
    books = queue.books()
    assert (books.dead, books.lanes[Lane.EVENT], books.difference) == (0, 7, 0)
    drop(redis_url, "--event", "Junk", "--distinct-id", "robot")
    assert queue.books().dead == 1


def _all() -> LetterFilter:
    return LetterFilter()


def test_a_lane_that_is_not_paused_is_left_and_the_command_says_how(
    queue: Queue, redis_url: str
) -> None:
    queue.push([event("Junk")])
    _, said = drop(redis_url, "--event", "Junk", expect=ExitCode.FINDING)
    assert "mixrelay pause event" in said
    assert "Nothing was dropped" in said
    assert queue.books().queued == 1


@pytest.mark.parametrize(
    "wrong", [[], ["--lane", "event"], ["--all"], ["--all", "--lane", "event", "--event", "x"]]
)
def test_what_names_nothing_or_too_much_is_refused(redis_url: str, wrong: list[str]) -> None:
    drop(redis_url, *wrong, expect=ExitCode.USAGE)


def test_a_dry_run_changes_nothing(queue: Queue, redis: Redis, redis_url: str) -> None:
    bench = Bench(queue)
    bench.route(event("Junk"), event("Good"))
    queue.push([event("Junk", token="0123456789abcdef0123456789abcdef"), profile("ann", n=1)])
    before = {key: redis.dump(key) for key in redis.scan_iter()}
    written, _ = drop(redis_url, "--event", "Junk", "--dry-run")
    assert "Would drop 2 messages." in written
    written, _ = drop(redis_url, "--token", "0123…ef", "--dry-run")
    assert "Would drop 1 message." in written
    assert {key: redis.dump(key) for key in redis.scan_iter()} == before


def test_for_good_counts_as_discarded(queue: Queue, redis_url: str) -> None:
    queue.push([event("Junk"), event("Good")])
    queue.pause(Lane.EVENT, who="ann", why="junk")
    drop(redis_url, "--lane", "event", "--event", "Junk", "--for-good")
    books = queue.books()
    assert (books.dead, books.totals["discarded"], books.difference) == (0, 1, 0)
    assert books.totals["discarded:dropped"] == 1


def test_it_pushes_no_other_letter_out(queue: Queue, redis_url: str) -> None:
    queue.push([event("Junk")] * 3)
    queue.retention.expire(None, 2)
    queue.pause(Lane.EVENT, who="ann", why="junk")
    _, said = drop(redis_url, "--lane", "event", "--all", expect=ExitCode.FINDING)
    assert "MIXRELAY_DLQ_MAX_LETTERS is 2" in said
    assert queue.books().dead == 0


def test_what_workers_hold_is_left_and_said(queue: Queue, redis_url: str) -> None:
    bench = Bench(queue)
    bench.route(event("Junk"))
    batch = bench.take()
    queue.pause(Lane.EVENT, who="ann", why="junk")
    written, said = drop(redis_url, "--lane", "event", "--event", "Junk")
    assert "Dropped 0 messages" in written
    assert "1 message in flight were not looked at" in " ".join(said.split())
    bench.park(batch, outage())
    assert "Dropped 1 message" in drop(redis_url, "--lane", "event", "--event", "Junk")[0]
    assert is_balanced(queue)


def test_as_json_it_says_what_it_would_drop_and_what_it_dropped(
    queue: Queue, redis_url: str
) -> None:
    queue.push([event("Junk"), event("Junk"), event("Good")])
    queue.pause(Lane.EVENT, who="ann", why="junk")
    chosen = ("--lane", "event", "--event", "Junk", "--json")
    told = json.loads(drop(redis_url, *chosen, "--dry-run")[0])
    assert (told["dry_run"], told["matched"], len(told["samples"])) == (True, 2, 2)
    told = json.loads(drop(redis_url, *chosen, "--yes")[0])
    assert told.pop("seconds") >= 0
    assert told.pop("longest_step_ms") > 0
    assert told == {
        "dry_run": False,
        "dropped": 2,
        "looked_at": 3,
        "for_good": False,
        "in_flight": 0,
    }


def test_a_drop_that_is_interrupted_keeps_what_it_did_and_is_gone_on_with(
    queue: Queue, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue.push([event("Junk")] * 60 + [event("Good")])
    queue.pause(Lane.EVENT, who="ann", why="junk")
    sift = Taking.sift

    def interrupted(self: Taking, store: Store, **more: str) -> Iterator[int]:
        for some in sift(self, store, **more):
            yield some
            raise RedisConnectionError("away")

    chosen = ("--lane", "event", "--event", "Junk", "--yes")
    with monkeypatch.context() as patch:
        patch.setattr(Taking, "sift", interrupted)
        _, said = drop(redis_url, *chosen, expect=None)
    dropped = queue.books().dead
    assert 0 < dropped < 60
    assert f"{dropped} messages dropped so far stay so" in said
    assert sum(one.count for one in queue.audit.newest(10) if one.what == "drop") == dropped
    assert f"Dropped {60 - dropped} messages" in drop(redis_url, *chosen)[0]
    assert is_balanced(queue)


def test_all_partitions_are_gone_through(redis: Redis, redis_url: str) -> None:
    queue = Queue(redis, partitions=3)
    queue.push([event("Junk", f"user-{i}") for i in range(60)])
    queue.push([event("Good", f"user-{i}") for i in range(60)])
    queue.announce()
    queue.pause(Lane.EVENT, who="ann", why="junk")
    written, _ = drop(redis_url, "--lane", "event", "--event", "Junk")
    assert "Dropped 60 messages of 120" in written
    books = queue.books()
    assert (books.dead, books.lanes[Lane.EVENT], books.difference) == (60, 60, 0)


def test_a_runaway_producer_is_dropped_restored_and_dropped_again_in_short_steps(
    queue: Queue, redis: Redis, redis_url: str
) -> None:
    junk, good = 1_500, 50
    for first in range(0, junk, 150):
        queue.push([event("Junk", "robot")] * 150)
        queue.push([event("Good", f"user-{first}-{i}") for i in range(good * 150 // junk)])
    queue.pause(Lane.EVENT, who="ann", why="junk")
    calls = steps(redis)
    redis.config_set("slowlog-log-slower-than", 1_000)
    redis.config_set("slowlog-max-len", 20_000)
    redis.slowlog_reset()
    unbalanced: list[int] = []
    over = threading.Event()

    def watch() -> None:
        with connect(redis_url) as client:
            other = Queue(client)
            while not over.is_set():
                if difference := other.books().difference:
                    unbalanced.append(difference)
                time.sleep(0.01)

    watcher = threading.Thread(target=watch)
    watcher.start()
    began = time.monotonic()
    try:
        drop(redis_url, "--lane", "event", "--event", "Junk", "--yes")
    finally:
        over.set()
        watcher.join(30)
    dropped = time.monotonic() - began
    slow: Any = redis.slowlog_get(20_000)
    slowest = max((one["duration"] for one in slow), default=0) / 1000
    redis.config_set("slowlog-log-slower-than", 10_000)
    books = queue.books()
    assert (books.dead, books.lanes[Lane.EVENT], books.difference) == (junk, good, 0)
    assert unbalanced == []
    print(f"{junk:,} of {junk + good:,}: {dropped:.1f} s, longest command {slowest:.1f} ms")
    assert steps(redis) - calls >= junk // MOST, "each step is of few messages"

    on(redis_url, "dlq", "replay", "--reason", "dropped")
    books = queue.books()
    assert (books.dead, books.lanes[Lane.EVENT], books.difference) == (0, junk + good, 0)
    drop(redis_url, "--lane", "event", "--event", "Junk", "--yes", "--for-good")
    books = queue.books()
    assert (books.dead, books.lanes[Lane.EVENT], books.difference) == (0, good, 0)


def steps(redis: Redis) -> int:
    told: Any = redis.info("commandstats")
    return int(told["cmdstat_evalsha"]["calls"])
