"""What a queued message weighs in Valkey, with lists as they are and compressed inside.

`list-compress-depth 1` packs all nodes of a list but the first and the last: less memory for more
of the server's CPU at each push and pop. Both are measured here, so that one can choose.
"""

from collections.abc import Iterator

from benchmarks import events
from benchmarks.benchmark import Benchmark, Goal, Row, Rows, Size, failures, measured, table
from benchmarks.stand import stand
from benchmarks.watching import delivered, pace, watch

MESSAGES = 500_000
DEPTHS = (0, 1)
LIMIT_SECONDS = 60.0
GOALS = {0: 1.1, 1: 0.4}


def run(size: Size) -> Iterator[Row]:
    messages = size.of(MESSAGES)
    for depth in DEPTHS:
        with stand(list_compress_depth=depth) as at:
            # What a first push costs besides is no message's own.
            events.fill(at.queue, 1)
            memory, cpu = float(at.redis.info("memory")["used_memory"]), at.server_cpu()
            events.fill(at.queue, messages)
            row = {
                "depth": depth,
                "own": events.size(),
                "bytes": (float(at.redis.info("memory")["used_memory"]) - memory) / messages,
                "push_cpu": (at.server_cpu() - cpu) / messages * 1e6,
            }
            worker = at.worker()
            drained = pace(list(watch(at, worker, delivered(at), messages, LIMIT_SECONDS)))
            yield row | {
                "rate": drained.rate,
                "drain_cpu": drained.server_cpu,
                "worker_cpu": drained.cpu,
            }


def show(rows: Rows) -> str:
    head = (
        "`list-compress-depth`",
        "bytes of Valkey a message",
        "of its own bytes",
        "push: Valkey's CPU, µs",
        "drain: Valkey's CPU, µs",
        "worker's CPU, µs",
        "drained a second",
    )
    lines = [
        [str(row["depth"]), f"{row['bytes']:.0f}", f"{row['bytes'] / row['own']:.2f}"]
        + [f"{row[key]:.2f}" for key in ("push_cpu", "drain_cpu", "worker_cpu")]
        + [f"{row['rate']:,.0f}"]
        for row in measured(rows)
    ]
    return table(head, lines) + failures(rows)


def goals(rows: Rows) -> Iterator[Goal]:
    for row in measured(rows):
        ratio, most = row["bytes"] / row["own"], GOALS[row["depth"]]
        how = f", `list-compress-depth {row['depth']}`" if row["depth"] else ""
        yield Goal(
            f"Valkey's memory for a queued message{how}, of its bytes",
            f"at most {most}",
            f"{ratio:.2f} ({row['bytes']:.0f} of {row['own']:.0f} bytes)",
            ratio <= most,
        )


BENCHMARK = Benchmark(
    "redis-memory", "of a queued message, with and without list-compress-depth 1", run, show, goals
)
