"""What the soak measures beside its messages: memory, latency, what stays in Redis."""

import statistics
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from redis import Redis

from tests.chaos.arrivals import Arrivals
from tests.chaos.soak_faults import Faults
from tests.support.fleet import Worker

SAMPLE_EVERY = 2.0

Counts = dict[str, int]


@dataclass(slots=True)
class Memory:
    """Proportional sizes of a worker's whole tree, in MiB, by time."""

    worker: Worker
    samples: list[float] = field(default_factory=list)
    _next: float = 0.0

    def look(self) -> None:
        now = time.monotonic()
        tree = self.worker.tree()
        if now < self._next or len(tree) < 2:
            return
        self._next = now + SAMPLE_EVERY
        self.samples.append(sum(map(_pss, tree)) / 1024)

    @property
    def start(self) -> float:
        return statistics.median(self.samples[: len(self.samples) // 3])

    @property
    def end(self) -> float:
        return statistics.median(self.samples[-(len(self.samples) // 3) :])


def _pss(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0


def leftovers(client: Redis, queue: str) -> dict[str, int]:
    """The queue's own keys that do not expire, with their size in bytes."""
    root = f"{{{queue}}}:"
    found = {}
    for name in client.scan_iter(match="*mixpanel_queue*", count=1_000):
        if client.ttl(name) == -1:  # -2 is one that ended since it was listed
            found[name.decode().removeprefix(root)] = int(client.memory_usage(name) or 0)
    return found


def tell_messages(arrivals: Arrivals, faults: Faults, memory: Memory, counted: Counts) -> None:
    cuts = statistics.quantiles(arrivals.latencies, n=1_000)
    rows = {
        "messages": f"{len(arrivals.sent_at)}, {counted['spooled']} of them through the spool",
        "arrived, latency s": f"p50 {cuts[499]:.2f}  p95 {cuts[949]:.2f}  p99 {cuts[989]:.2f}  "
        f"max {max(arrivals.latencies):.2f}",
        "resent updates": str(arrivals.resent),
        "inversions": str(arrivals.inversions),
        "replayed, discarded": f"{len(arrivals.replayed)}, {len(faults.discarded)}",
        "worker's PSS MiB": f"{memory.start:.1f} at the start, {memory.end:.1f} at the end",
    }
    rows |= {f"fault: {name}": str(times) for name, times in sorted(faults.counts.items())}
    _print(rows)


def tell_redis(client: Redis, at_start: int, left: dict[str, int]) -> None:
    info = client.info("memory")
    expiring = sum(1 for _ in client.scan_iter(match="*:done:*", count=1_000))
    rows = {
        "Redis KiB": f"{at_start // 1024} at the start, {info['used_memory'] // 1024} at the end",
        "answers that expire": f"{expiring} of {client.dbsize()} keys",
    }
    rows |= {f"stays: {name}": f"{size} bytes" for name, size in sorted(left.items())}
    _print(rows)


def _print(rows: dict[str, str]) -> None:
    width = max(map(len, rows))
    for name, value in rows.items():
        print(f"{name.ljust(width)}  {value}")
