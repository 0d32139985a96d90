"""`mixrelay queue peek` and `queue top`: what waits, looked at and left as it is."""

import json
import time
from typing import Any

from redis import Redis

from mixrelay.console.exits import ExitCode
from mixrelay.shared.queue import Queue
from tests.support.bench import Bench, outage
from tests.support.console import called
from tests.support.letters import event, imported, profile


def on(url: str, *command: str, **more: Any) -> tuple[str, str]:
    return called("queue", *command, MIXRELAY_REDIS_URL=url, **more)


def objects(url: str, *command: str, **more: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in on(url, *command, "--json", **more)[0].splitlines()]


def everything(redis: Redis) -> dict[bytes, bytes]:
    return {key: redis.dump(key) for key in redis.scan_iter()}  # type: ignore[misc, unused-ignore]


def test_peek_shows_the_next_ones_wherever_they_wait_and_changes_nothing(
    queue: Queue, redis: Redis, redis_url: str
) -> None:
    bench = Bench(queue)
    bench.route(event("scheduled"))
    bench.park(bench.take(), outage())
    bench.route(event("laned"), imported("secretive", "sesame-api-key"))
    queue.push([event("pushed", "bob")])
    before = everything(redis)

    found = objects(redis_url, "peek")
    assert [(one["in"], one["lane"], one["id"]) for one in found] == [
        ("scheduled", "event", "0-1"),
        ("lane", "event", "0-2"),
        ("lane", "import", "0-3"),
        ("incoming", None, None),
    ]
    assert found[0]["error"] == "503 from Mixpanel"
    assert found[3]["message"][1]["data"]["event"] == "pushed"
    assert [one["id"] for one in objects(redis_url, "peek", "--lane", "import")] == ["0-3"]
    assert [one["in"] for one in objects(redis_url, "peek", "--last", "-n", "1")] == ["incoming"]
    shown, said = on(redis_url, "peek", "-n", "3")
    assert "sesame" not in shown + json.dumps(found)
    assert "The first 3 of 4 messages" in said
    assert everything(redis) == before


def test_peek_goes_through_several_partitions(redis: Redis, redis_url: str) -> None:
    queue = Queue(redis, partitions=3)
    queue.push([profile(f"user-{i}", n=i) for i in range(30)])
    queue.announce()
    while queue.route()[0]:
        pass
    found = objects(redis_url, "peek", "-n", "100")
    assert {one["partition"] for one in found} == {0, 1, 2}
    assert len({one["id"] for one in found}) == 30


def test_top_counts_all_of_a_short_queue_and_masks_tokens(queue: Queue, redis_url: str) -> None:
    token = "0123456789abcdef0123456789abcdef"
    queue.push([event("Junk", "robot", token=token)] * 3 + [profile("ann", n=1), b"odd"])
    [found] = objects(redis_url, "top")
    assert (found["waiting"], found["estimated"]) == (5, False)
    assert found["type"][0] == {
        "name": "event",
        "messages": 3,
        "share": 0.6,
        "margin": 0.0,
        "in_sample": 3,
    }
    assert {one["name"]: one["messages"] for one in found["event"]} == {
        "Junk": 3,
        "$set": 1,
        "(cannot be read)": 1,
    }
    assert found["token"][0]["name"] == "0123…ef"
    assert found["distinct_id"][0]["name"] == "robot"
    shown, _ = on(redis_url, "top")
    assert "5 messages wait, all counted." in shown
    assert token not in shown + json.dumps(found)


def test_top_finds_a_runaway_producer_in_a_long_queue_and_pauses_redis_for_moments(
    queue: Queue, redis: Redis, redis_url: str
) -> None:
    good = [event("Good", f"user-{i}") for i in range(500)]
    junk = [event("Junk", "robot")] * 49_500
    queue.push(good + junk)
    redis.config_set("slowlog-log-slower-than", 0)
    redis.config_set("slowlog-max-len", 20_000)
    redis.slowlog_reset()
    began = time.monotonic()
    [found] = objects(redis_url, "top")
    seconds = time.monotonic() - began
    slowest = max(one["duration"] for one in redis.slowlog_get(20_000)) / 1000  # type: ignore[union-attr, unused-ignore]
    redis.config_set("slowlog-log-slower-than", 10_000)
    print(f"50,000 waiting: {seconds:.2f} s, longest command {slowest:.2f} ms, {found['event']}")
    assert (found["estimated"], found["looked_at"], found["waiting"]) == (True, 2_000, 50_000)
    first = found["event"][0]
    assert first["name"] == "Junk"
    assert abs(first["share"] - 0.99) < 0.02, "eight standard deviations"
    assert abs(first["messages"] - 49_500) < 1_000
    shown, _ = on(redis_url, "top")
    assert "50,000 messages wait. Estimated from a random sample of 2,000." in shown
    assert slowest < 50, "ms: each read is of few messages"


def test_an_empty_queue_says_so(queue: Queue, redis_url: str) -> None:
    assert queue.books().waiting == 0
    for command in ("peek", "top"):
        assert "Nothing waits there." in on(redis_url, command)[1]
    assert objects(redis_url, "peek") == []


def test_an_unknown_lane_is_refused(redis_url: str) -> None:
    on(redis_url, "peek", "--lane", "evnt", expect=ExitCode.USAGE)
    on(redis_url, "top", "--in", "lanes", expect=ExitCode.USAGE)
