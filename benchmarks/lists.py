"""Lists of records in one message each: how long they take, and what they cost everyone else.

Beside each list an update of a profile and of a group is pushed every tenth of a second: the
longest time in which none of them was delivered is the stall of other lanes. `MIXRELAY_LIST_BYTES`
is what a list may weigh. With `python -m benchmarks.lists` the table.
"""

import argparse
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import events, machine
from benchmarks.stand import Stand, stand
from mixrelay.shared.connection import connect
from mixrelay.shared.queue import Queue
from mixrelay.shared.tuples import write

RECORDS = 200_000
LIMIT_SECONDS = 300.0
POKE_SECONDS = 0.1
LANES = ("profile_update", "group_update")


def whole(records: int) -> list[bytes]:
    """All records in one list."""
    return [_list(_texts(records))]


def thousands(records: int) -> list[bytes]:
    """A thousand records a list, and five times as many records."""
    texts = _texts(1_000)
    return [_list(texts)] * (records // 200)


def nested(records: int) -> list[bytes]:
    """Lists in a list, a hundred records each."""
    texts = _texts(records)
    some = (texts[at : at + 100] for at in range(0, records, 100))
    return [_list([f"[{','.join(one)}]" for one in some])]


SHAPES: dict[str, Callable[[int], list[bytes]]] = {
    "one list": whole,
    "lists of 1,000": thousands,
    "lists in a list": nested,
}


def _texts(records: int) -> list[str]:
    known = events.records()
    return [known[number % len(known)] for number in range(records)]


def _list(texts: list[str]) -> bytes:
    return write("event", f'{{"data":[{",".join(texts)}]}}')


@dataclass
class Seen:
    """What was seen while a list was expanded and sent."""

    seconds: float = 0.0
    peak: int = 0
    """Of Redis's memory, over what it was before the push."""
    stalls: dict[str, float] = field(default_factory=lambda: dict.fromkeys(LANES, 0.0))


def measure(at: Stand, pushed: list[bytes], records: int) -> Seen:
    """Pushes lists onto a queue that a worker drains, until all records are delivered.

    Raises:
        TimeoutError: that took over five minutes.
    """
    seen = Seen()
    delivered = _delivered(at)
    with _poked(at, seen):
        before = _peak(at)
        began = time.monotonic()
        at.queue.push(pushed)
        while _delivered(at) < delivered + records:
            if time.monotonic() - began > LIMIT_SECONDS:
                raise TimeoutError(f"not within {LIMIT_SECONDS:g} s")
            time.sleep(0.05)
        seen.seconds = time.monotonic() - began
        seen.peak = _peak(at) - before
    return seen


def _peak(at: Stand) -> int:
    """The most memory that the server has had, with what its scripts took (Linux)."""
    pid = at.redis.info("server")["process_id"]
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return next(int(one.split()[1]) * 1024 for one in lines if one.startswith("VmHWM"))


def _delivered(at: Stand) -> int:
    return at.queue.books().totals.get("delivered:event", 0)


@contextmanager
def _poked(at: Stand, seen: Seen) -> Iterator[None]:
    over = threading.Event()

    def poke() -> None:
        with connect(at.url, timeout=60) as redis:
            queue = Queue(redis)
            last = dict.fromkeys(LANES, time.monotonic())
            done = dict.fromkeys(LANES, 0)
            while not over.wait(POKE_SECONDS):
                queue.push(_updates())
                totals, now = queue.books().totals, time.monotonic()
                for lane in LANES:
                    if (count := totals.get(f"delivered:{lane}", 0)) > done[lane]:
                        done[lane], last[lane] = count, now
                    elif done[lane]:
                        seen.stalls[lane] = max(seen.stalls[lane], now - last[lane])

    thread = threading.Thread(target=poke)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(60)


def _updates() -> list[bytes]:
    user = f'{{"data":{{"$token":"{events.TOKEN}","$distinct_id":"u","$set":{{"n":1}}}}}}'
    group = (
        f'{{"data":{{"$token":"{events.TOKEN}","$group_key":"team","$group_id":"g",'
        '"$set":{"n":1}}}'
    )
    return [write("profile_update", user), write("group_update", group)]


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--records", type=int, default=RECORDS)
    options.add_argument("--shape", choices=SHAPES, action="append", help="all, unless given")
    chosen = options.parse_args()
    records = chosen.records
    print(machine.describe())
    print(
        "| | input, MB | seconds | records a second | Redis's peak, of the input "
        "| longest stall, s |"
    )
    print("| --- | --- | --- | --- | --- | --- |")
    for name in chosen.shape or SHAPES:
        shape = SHAPES[name]
        pushed = shape(records)
        count = records * 5 if shape is thousands else records
        size = sum(map(len, pushed))
        with stand() as at:
            at.worker(MIXRELAY_PROVE_TOKENS="off")
            events.fill(at.queue, 100)
            while _delivered(at) < 100:
                time.sleep(0.1)
            seen = measure(at, pushed, count)
        print(
            f"| {name} | {size / 1e6:.1f} | {seen.seconds:.1f} | {count / seen.seconds:,.0f} | "
            f"{seen.peak / size:.1f} | {max(seen.stalls.values()):.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
