"""Keys of the queue and of RQ that hold what someone else put there.

No promise is kept to who lets others write to these keys, but this: a command says what is wrong
and never ends in a traceback, and the terminal shows no more than text.
"""

import os
import random
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from mixrelay.shared.errors import WrongKeyType
from mixrelay.shared.queue import Lane, Park, Pause, PauseKind, Queue, Settlement, new_id
from mixrelay.shared.queue.letters.letter import Letter
from tests.support import letters
from tests.support.console import called

HOSTILE = (
    b"",
    b"x" * 1_000_000,
    b"\xff\xfe\x00\x1b[31m\n",
    b"-1",
    b"NaN",
    b"1e999",
    b"../../etc/passwd",
    b"{}",
    b"[]",
    b"null",
    b'{"a":1}\n["event"]',
    "\u2028\u202e".encode(),
)
FULL = os.environ.get("MIXRELAY_CHAOS") == "full"
VALUES_A_KEY = len(HOSTILE) if FULL else 1
COMMANDS = (
    ("status",),
    ("dlq", "list"),
    ("dlq", "show", "0-1"),
    ("dlq", "stats"),
    ("dlq", "export", "--raw"),
    ("dlq", "discard", "--all", "--yes"),
)
KINDS = ("string", "list", "hash", "set", "zset")


def filled(redis: Redis) -> Queue:
    """A queue with something under each of its keys."""
    redis.flushall()
    queue = Queue(redis)
    letters.bury(queue, [letters.event("a"), letters.imported("b", "k"), letters.profile("x", a=1)])
    queue.push([letters.event("c"), letters.profile("y", b=2)])
    queue.route()
    batch = queue.reserve(
        Lane.PROFILE_UPDATE,
        owner="o",
        claim=new_id(),
        lease_seconds=60,
        limits=letters.AT_ONCE,
        destination="engage:abc",
    )
    pause = Pause(PauseKind.OUTAGE, base_ms=100_000, cap_ms=100_000, jitter_ms=0)
    park = Park("boom", 503, pause=pause)
    queue.settle(batch, Settlement(rest=park, destination="engage:abc", own=True, sent=True))  # type: ignore[arg-type]
    queue.push([letters.event("d")])
    redis.sadd("rq:workers", "rq:worker:w")
    redis.sadd("rq:workers:mixrelay", "rq:worker:w")
    now = "2026-01-01T00:00:00.000000Z"
    redis.hset("rq:worker:w", mapping={"pid": "1", "last_heartbeat": now, "queues": "mixrelay"})
    return queue


def replacements(redis: Redis, key: bytes, values: Sequence[bytes]) -> list[Callable[[], object]]:
    """Ways to spoil a key: another type, and hostile values where they would be read."""
    kind = redis.type(key).decode()  # type: ignore[union-attr, unused-ignore]
    other = "set" if kind == "list" else "list"
    ways: list[Callable[[], object]] = [
        lambda: (redis.delete(key), *(way() for way in _spoilt(redis, key, other, b"foreign")))
    ]
    for value in values:
        ways += _spoilt(redis, key, kind, value)
    return ways


def _spoilt(redis: Redis, key: bytes, kind: str, value: bytes) -> list[Callable[[], object]]:
    if kind == "hash":
        fields: list[bytes] = list(redis.hkeys(key))  # type: ignore[arg-type, unused-ignore]
        return [
            lambda: redis.hset(key, mapping=dict.fromkeys(fields, value)),  # type: ignore[arg-type, unused-ignore]
            lambda: redis.hset(key, value, b"1"),  # type: ignore[arg-type, unused-ignore]
        ]
    if kind == "zset":
        return [lambda: redis.zadd(key, {value: -5}), lambda: redis.zadd(key, {value: "inf"})]
    if kind == "list":
        return [lambda: (redis.lpush(key, value), redis.rpush(key, value))]
    if kind == "set":
        return [lambda: redis.sadd(key, value)]
    return [lambda: redis.set(key, value)]


def said(redis_url: str, *command: str) -> str:
    """What it writes; a traceback would be an exception here."""
    written, errors = called(*command, expect=None, MIXRELAY_REDIS_URL=redis_url)
    return written + errors


def test_commands_survive_whatever_lies_in_any_key(redis: Redis, redis_url: str) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    filled(redis)
    for name in sorted({pattern(key) for key in redis.scan_iter() if b":done:" not in key}):
        values = chance.sample(HOSTILE, VALUES_A_KEY)
        for index in range(1 + 2 * len(values)):
            filled(redis)
            key = next(redis.scan_iter(match=name, count=10_000))
            ways = replacements(redis, key, values)
            if index >= len(ways):
                break
            ways[index]()
            for command in COMMANDS:
                shown = said(redis_url, *command)
                assert not {"\x1b", "\u2028", "\u202e", "\x00"} & set(shown), (key, index, command)
                assert len(shown) < 3_000_000


def pattern(key: bytes) -> bytes:
    """A key's name, without what is another each time."""
    return re.sub(rb"(?<=:batch:).*|(?<=:minute:).*|(?<=:job:).*", b"*", key)


def test_push_survives_what_lies_in_its_keys(redis: Redis, redis_url: str, tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_bytes(letters.event("a") + b"\n")
    said(redis_url, "push", str(log))
    [name] = redis.hkeys("{mixpanel_queue}:loads")  # type: ignore[misc, unused-ignore]
    for value in HOSTILE:
        redis.hset("{mixpanel_queue}:loads", name, value)  # type: ignore[arg-type, unused-ignore]
        said(redis_url, "push", str(log))
    for kind in KINDS:
        redis.delete("{mixpanel_queue}:loads", "mixpanel_queue")
        _spoilt(redis, b"mixpanel_queue", kind, b"foreign")[-1]()
        said(redis_url, "push", "--again", str(log))


@given(stored=st.binary(max_size=200) | st.binary(max_size=50).map(lambda some: b"{}\n" + some))
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_letter_that_is_none_is_told_as_a_foreign_value(stored: bytes) -> None:
    with pytest.raises(WrongKeyType, match="mixrelay did not write"):
        Letter.parse(stored)
