"""A runaway producer: junk among good events, found, dropped, restored, dropped again.

    python -m benchmarks.runaway [--junk N] [--good N]

By the commands of docs/runbooks.md, each timed as an operator waits for it, on a Valkey of its own.
The longest pause is of everybody else: a second connection asks PING all the time, and the slowest
answer is told, and beside it the slowest script by the server's own SLOWLOG.
"""

import argparse
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import orjson

from benchmarks.stand import Stand, stand
from mixrelay.shared.connection import connect
from mixrelay.shared.queue import Lane, LetterFilter

JUNK, GOOD = 1_000_000, 10_000
_SLICE = 1_000
_LIMIT_SECONDS = 3_600
_SLOWLOG_MICROS = 2_000


def main() -> None:
    """Runs all of it and prints a table."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--junk", type=int, default=JUNK)
    options.add_argument("--good", type=int, default=GOOD)
    given = options.parse_args()
    with stand() as at:
        at.redis.config_set("slowlog-log-slower-than", _SLOWLOG_MICROS)
        _fill(at, given.junk, given.good)
        print("| step | seconds | longest PING | slowest script |")
        print("| --- | --- | --- | --- |")
        drop = ["queue", "drop", "--lane", "event", "--event", "Junk", "--why", "r42", "--yes"]
        for name, command in (
            ("queue top", ["queue", "top"]),
            ("queue drop --dry-run", [*drop, "--dry-run"]),
            ("queue drop", drop),
            ("dlq replay --reason dropped", ["dlq", "replay", "--reason", "dropped", "--yes"]),
            ("queue drop, again", drop),
        ):
            _timed(at, name, command)
            assert at.queue.books().difference == 0
        books = at.queue.books()
        left = books.lanes[Lane.EVENT]
        print(f"\n{left:,} good events left in the lane, {books.dead:,} dropped letters.")
        assert (left, books.dead) == (given.good, given.junk)
        assert at.queue.letters.count(LetterFilter(reason="dropped")) == given.junk


def _fill(at: Stand, junk: int, good: int) -> None:
    every = max(1, junk // good)
    pushed: list[bytes] = []
    at.queue.pause(Lane.EVENT, who="ann", why="junk of r42")
    for n in range(junk):
        pushed.append(_event("Junk", n))
        if n % every == 0 and n // every < good:
            pushed.append(_event("Good", n))
        if len(pushed) >= _SLICE:
            at.queue.push(pushed)
            at.queue.route()
            pushed = []
    if pushed:
        at.queue.push(pushed)
    while any(at.queue.route()):
        pass
    waiting = at.queue.books().lanes[Lane.EVENT]
    print(f"{waiting:,} events in the paused lane.\n")


def _event(name: str, n: int) -> bytes:
    properties = {"distinct_id": f"u{n % 5000}", "n": n, "plan": "free", "page": "/checkout"}
    data = {"event": name, "properties": properties}
    return orjson.dumps(["event", orjson.dumps({"data": data}).decode()])


def _timed(at: Stand, name: str, command: list[str]) -> None:
    at.redis.slowlog_reset()
    began = time.monotonic()
    with _pinging(at.url) as longest:
        done = subprocess.run(
            [sys.executable, "-m", "mixrelay.console", *command],
            env={**os.environ, **at.surroundings()},
            capture_output=True,
            text=True,
            timeout=_LIMIT_SECONDS,
            check=False,
        )
    seconds = time.monotonic() - began
    if done.returncode:
        sys.exit(f"{name} ended with {done.returncode}: {done.stderr}")
    if name == "queue top":
        assert re.search(r"Junk", done.stdout), done.stdout
    slow = [entry for entry in at.redis.slowlog_get(128) if b"EVALSHA" in entry["command"]]
    slowest = max((entry["duration"] / 1000 for entry in slow), default=0.0)
    shown = f"{slowest:.0f} ms" if slowest else f"under {_SLOWLOG_MICROS / 1000:.0f} ms"
    print(f"| {name} | {seconds:.1f} | {longest[0] * 1000:.0f} ms | {shown} |", flush=True)


@contextmanager
def _pinging(url: str) -> Iterator[list[float]]:
    """The slowest answer that another client gets meanwhile."""
    longest, over = [0.0], threading.Event()

    def ping() -> None:
        with connect(url, timeout=60) as redis:
            while not over.is_set():
                began = time.monotonic()
                redis.ping()
                longest[0] = max(longest[0], time.monotonic() - began)
                time.sleep(0.002)

    thread = threading.Thread(target=ping, daemon=True)
    thread.start()
    try:
        yield longest
    finally:
        over.set()
        thread.join(60)


if __name__ == "__main__":
    main()
