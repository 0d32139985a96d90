"""What a fleet costs that has nothing to do: Redis commands, writes, append-only file, CPU.

    python -m benchmarks.idle [--workers N] [--minutes M]

Workers with their defaults on an empty queue, on a Valkey that keeps an append-only file. The
first seconds, in which the workers start, are not counted. Commands inside scripts are counted,
as Redis itself counts them (INFO commandstats). A lone message is timed before and after.
"""

import argparse
import time
from collections.abc import Iterator
from typing import Any

from benchmarks.latency import Way
from benchmarks.machine import cpu_seconds
from benchmarks.stand import stand

WORKERS, MINUTES = 10, 10.0
WARM_UP_SECONDS = 20.0
LONE_MESSAGES = 10
_SHOWN = 12
_OWN = frozenset({"info", "monitor"})


def main() -> None:
    chosen = _options()
    with stand(
        sink="benchmarks.timing_sink",
        appendonly="yes",
        save="",
        auto_aof_rewrite_percentage="0",
    ) as at:
        worker = at.worker("--processes", str(chosen.workers))
        way = Way(at)
        way.lone(1)
        time.sleep(WARM_UP_SECONDS)
        before, cpu, began = at.redis.info("everything"), cpu_seconds(worker.pid), time.monotonic()
        server_cpu = at.server_cpu()
        time.sleep(chosen.minutes * 60)
        after, seconds = at.redis.info("everything"), time.monotonic() - began
        server_cpu = at.server_cpu() - server_cpu
        cpu = cpu_seconds(worker.pid) - cpu
        print(f"{chosen.workers} idle workers, {seconds / 60:.1f} minutes")
        for line in _lines(before, after, seconds):
            print(line)
        print(
            f"CPU: all workers {100 * cpu / seconds:.2f} % of a core, "
            f"Redis {100 * server_cpu / seconds:.2f} %"
        )
        print(_latency(way))


def _lines(before: dict[str, Any], after: dict[str, Any], seconds: float) -> Iterator[str]:
    calls = {
        name.removeprefix("cmdstat_"): stats["calls"] - before.get(name, {"calls": 0})["calls"]
        for name, stats in after.items()
        if name.startswith("cmdstat_")
    }
    calls = {name: count for name, count in calls.items() if count and name not in _OWN}
    yield f"commands: {sum(calls.values()) / seconds:.1f} a second, those inside scripts among them"
    for name, count in sorted(calls.items(), key=lambda one: -one[1])[:_SHOWN]:
        yield f"  {name:12} {count / seconds:8.2f} a second"
    changes = after["rdb_changes_since_last_save"] - before["rdb_changes_since_last_save"]
    yield f"writes: {changes / seconds:.2f} a second"
    grown = after["aof_current_size"] - before["aof_current_size"]
    yield f"append-only file: {grown / seconds * 60:,.0f} bytes a minute"


def _latency(way: Way) -> str:
    pairs = way.lone(LONE_MESSAGES)
    waits = sorted(received - sent for sent, received in pairs)
    return (
        f"a lone message: median {waits[len(waits) // 2] * 1000:.0f} ms, "
        f"slowest {waits[-1] * 1000:.0f} ms"
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.idle", description=__doc__)
    parser.add_argument("--workers", type=int, default=WORKERS)
    parser.add_argument("--minutes", type=float, default=MINUTES)
    return parser.parse_args()


if __name__ == "__main__":
    main()
