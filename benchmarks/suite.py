"""All benchmarks, in the order in which they run and stand in docs/performance.md."""

from benchmarks import backlog, drain, latency, letters, memory, produce, redis_memory
from benchmarks.traffic import measure as traffic

BENCHMARKS = (
    produce.BENCHMARK,
    drain.BENCHMARK,
    traffic.BENCHMARK,
    latency.BENCHMARK,
    memory.BENCHMARK,
    redis_memory.BENCHMARK,
    backlog.BENCHMARK,
    letters.BENCHMARK,
)
