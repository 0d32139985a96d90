"""Redis or Valkey: is it there, will it keep what it was given, does it hold a queue?"""

from collections.abc import Iterator
from typing import cast

from redis import Redis
from redis.exceptions import RedisError

from mixrelay.console.doctor.cluster import check_masters
from mixrelay.console.doctor.findings import Finding
from mixrelay.console.doctor.node import REDIS, look_at, round_trip
from mixrelay.console.doctor.partitions import check_partitions
from mixrelay.console.failures import explain_redis
from mixrelay.console.health.harm import harm_problems
from mixrelay.console.status.clock import clock_remarks
from mixrelay.console.status.writes import refused_writes, writes_problems
from mixrelay.console.text import count
from mixrelay.shared.connection import connect, is_cluster, mask
from mixrelay.shared.errors import MixrelayError
from mixrelay.shared.queue import Queue


def check_server(url: str, queue: str, partitions: int = 1) -> Iterator[Finding]:
    """Everything about the server of a queue; one finding where it cannot be asked."""
    try:
        redis = connect(url)
    except MixrelayError as error:
        yield REDIS.error("address", str(error), "Correct MIXRELAY_REDIS_URL.")
        return
    try:
        yield from _looks(redis, url, Queue(redis, queue, partitions=partitions))
        yield from check_partitions(redis, queue, partitions)
    except RedisError as error:
        failure = explain_redis(error, url).failure
        yield REDIS.error("connection", failure.what, failure.todo)
    finally:
        redis.close()


def _looks(redis: Redis, url: str, queue: Queue) -> Iterator[Finding]:
    if is_cluster(url):
        yield from check_masters(redis)
    else:
        yield round_trip(redis, mask(url))
        yield from look_at(redis)
    yield from _writes(queue)
    yield from _keys(queue)


def _writes(queue: Queue) -> Iterator[Finding]:
    """Whether it takes any now: it may answer everything else, and refuse these."""
    problems = writes_problems(refused_writes(queue.redis))
    if not problems:
        yield REDIS.ok("writes", "It takes writes.")
    for problem in problems:
        yield REDIS.error("writes", problem.summary, problem.what_to_do)


def _keys(queue: Queue) -> Iterator[Finding]:
    queue.refresh()
    kinds = {name: cast("bytes", queue.redis.type(name)).decode() for name in queue.lists}
    foreign = {name: kind for name, kind in kinds.items() if kind not in {"list", "none"}}
    for name, kind in foreign.items():
        yield REDIS.error(
            "queue",
            f"The key {name!r} holds a {kind}, not a list.",
            "Another program uses this name: set another MIXRELAY_QUEUE, or move that key.",
        )
    if foreign:
        return
    books = queue.books()
    if books.difference:
        yield REDIS.error(
            "queue",
            f"The totals of {queue.name!r} do not add up: {books.difference} unaccounted for.",
            "Was a key of the queue changed by hand, or restored from an older copy?",
        )
    else:
        holds = f"backlog {books.waiting:,}, {count(books.dead, 'dead letter')}"
        yield REDIS.ok("queue", f"{queue.name!r}: {holds}.")
    for problem in harm_problems(books):
        yield REDIS.error("keys", problem.summary, problem.what_to_do)
    for remark in clock_remarks(books, 0.0):
        said, _, todo = remark.rpartition(". ")
        yield REDIS.warning("clock", f"{said}.", todo)
