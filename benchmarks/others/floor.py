"""The least that a drain can do, in three sizes. None of them checks, leases or counts anything.

`python -m benchmarks.others.floor full|splicing|plain THREADS`

full: moves 2,000 tuples to an in-flight list by a script, parses and encodes every record anew,
packs the body with isal, posts it with requests, unlinks the list. splicing: the same, but a
record's text is cut out of its message. plain: pops, posts what it popped.
"""

import os
import signal
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import orjson
import requests
from isal import igzip
from redis import Redis
from redis.commands.core import Script

AT_ONCE = 2_000
IN_FLIGHT = "in-flight"
_TIMEOUT = 30
# `unpack` of more than some 8,000 values fails; a slice of 1,000 stays well below.
_MOVE = """
local taken = redis.call('LPOP', KEYS[1], ARGV[1])
if not taken then return {} end
for first = 1, #taken, 1000 do
  redis.call('RPUSH', KEYS[2], unpack(taken, first, math.min(first + 999, #taken)))
end
return taken
"""
_BEFORE, _AFTER = len('{"data":'), -len("}")

Body = Callable[[list[bytes]], bytes]


def full(taken: list[bytes]) -> bytes:
    records = [orjson.loads(orjson.loads(one)[1])["data"] for one in taken]
    return igzip.compress(orjson.dumps(records), 1)


def splicing(taken: list[bytes]) -> bytes:
    records = [orjson.loads(one)[1][_BEFORE:_AFTER] for one in taken]
    return igzip.compress(f"[{','.join(records)}]".encode(), 1)


def plain(taken: list[bytes]) -> bytes:
    return b"[" + b",".join(taken) + b"]"


def drain(kind: str, name: str) -> None:
    """One thread's part: a batch at a time until nothing is left."""
    redis = Redis.from_url(os.environ["BENCH_REDIS_URL"])
    take = _pop(redis) if kind == "plain" else _move(redis.register_script(_MOVE), name)
    body: Body = {"full": full, "splicing": splicing, "plain": plain}[kind]
    headers = {"Content-Type": "application/json"}
    if kind != "plain":
        headers["Content-Encoding"] = "gzip"
    with requests.Session() as session:
        while taken := take():
            url = f"{os.environ['BENCH_SINK']}/track"
            session.post(url, body(taken), headers=headers, timeout=_TIMEOUT).raise_for_status()
            if kind != "plain":
                redis.unlink(name)


def _pop(redis: Redis) -> Callable[[], list[bytes] | None]:
    return lambda: cast("list[bytes] | None", redis.lpop(os.environ["BENCH_QUEUE"], AT_ONCE))


def _move(script: Script, name: str) -> Callable[[], list[bytes]]:
    return lambda: script(keys=[os.environ["BENCH_QUEUE"], name], args=[AT_ONCE])


def main(kind: str, threads: int) -> None:
    with ThreadPoolExecutor(threads) as pool:
        names = [f"{IN_FLIGHT}:{number}" for number in range(threads)]
        # Taken into a list, they raise here what a thread raised.
        list(pool.map(drain, [kind] * threads, names))
    # Nobody could read the CPU time of a process that is gone.
    signal.pause()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
